// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* kv: a table of keys and values; one thread serves them from an event loop.
 *
 *	kv server PORT
 *	kv HOST PORT get KEY
 *	kv HOST PORT set KEY VALUE
 *
 * A request is "g", key, 0, or "s", key, 0, value; a response is "+" and the value,
 * or "-" if there is no such key.
 */
#include <errno.h>
#include <poll.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libhoma.h>

#define MAX_KEYS 100000

static int fail(const char *what, int err)
{
	fprintf(stderr, "kv: %s: %s\n", what, strerror(err));
	return 1;
}

/* Copies, with a 0 behind. */
static char *keep(const char *text, size_t length)
{
	char *copy = calloc(1, length + 1);

	if (!copy)
		exit(fail("no memory", ENOMEM));
	return memcpy(copy, text, length);
}

/* Returns the value to answer with, or NULL. */
static const char *execute(const char *request, size_t length)
{
	const char *zero = memchr(request, 0, length);
	ENTRY entry = { .key = (char *)request + 1 }, *found;

	if (!zero || zero == request)
		return NULL;
	found = hsearch(entry, FIND);
	if (request[0] == 's') {
		if (!found) {
			entry.key = keep(entry.key, zero - entry.key);
			found = hsearch(entry, ENTER);
		}
		if (!found)		/* the table is full */
			return NULL;
		free(found->data);
		found->data = keep(zero + 1, request + length - zero - 1);
	}
	return found ? found->data : NULL;
}

static void answer(struct homa *homa, struct homa_msg *msg)
{
	const char *request = homa_data(msg);	/* in one piece */
	const char *value = request ? execute(request, msg->length) : NULL;
	struct iovec iov[2] = {
		{ value ? "+" : "-", 1 }, { (char *)value, value ? strlen(value) : 0 },
	};

	homa_replyv(homa, msg, iov, 2);
}

/* The socket does not block; another descriptor could be served as well. */
static int serve(struct homa *homa)
{
	struct pollfd ready = { .fd = homa_fd(homa), .events = POLLIN };
	struct homa_msg msg = HOMA_MSG_INIT;
	ssize_t n = -EAGAIN;

	hcreate(MAX_KEYS);
	while (n == -EAGAIN && poll(&ready, 1, -1) == 1)
		while ((n = homa_recv(homa, &msg, 0)) >= 0)
			answer(homa, &msg);
	return fail("receive", -n);
}

static int ask(struct homa *homa, char **words, const char *value)
{
	struct iovec iov[3] = {
		{ value ? "s" : "g", 1 }, { words[4], strlen(words[4]) + 1 },
		{ (char *)value, value ? strlen(value) : 0 },
	};
	struct homa_msg msg = HOMA_MSG_INIT;
	union homa_addr server;
	ssize_t n = homa_address(homa, words[1], atoi(words[2]), &server);
	const char *data;

	if (!n)
		n = homa_invokev(homa, &server.sa, iov, 3, &msg);
	data = homa_data(&msg);
	if (n <= 0 || !data || data[0] != '+')
		return fail(words[4], n < 0 ? -n : ENOENT);
	printf("%.*s\n", (int)n - 1, data + 1);
	homa_release(&msg);
	return 0;
}

int main(int argc, char **argv)
{
	int server = argc == 3 && !strcmp(argv[1], "server");
	struct homa *homa;
	int err;

	if (!server && !(argc == 5 && !strcmp(argv[3], "get")) &&
	    !(argc == 6 && !strcmp(argv[3], "set")))
		return fail("server PORT | HOST PORT get KEY | HOST PORT set KEY VALUE", EINVAL);
	err = homa_open(&homa, AF_INET6, server ? atoi(argv[2]) : 0, 0, server ? HOMA_NONBLOCK : 0);
	if (err)
		return fail("open", -err);
	return server ? serve(homa) : ask(homa, argv, argv[5]);
}
