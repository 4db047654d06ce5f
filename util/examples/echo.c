// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* echo: the shortest server, and a client that waits for each answer.
 *
 *	echo server PORT
 *	echo HOST PORT WORD...
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libhoma.h>

static int say(const char *what, int err)
{
	fprintf(stderr, "echo: %s: %s%s\n", what, strerror(-err),
		err == -EPROTONOSUPPORT ? " (is homa.ko loaded?)" : "");
	return 1;
}

/* A message that takes the next one gives the previous one's memory back. */
static int serve(struct homa *homa)
{
	struct homa_msg msg = HOMA_MSG_INIT;
	ssize_t n;

	while ((n = homa_recv(homa, &msg, 0)) >= 0) {
		int err = homa_replyv(homa, &msg, msg.iov, msg.iovcnt);

		if (err)
			say("reply", err);
	}
	homa_release(&msg);
	return say("receive", n);
}

static int ask(struct homa *homa, const union homa_addr *server, const char *word)
{
	struct homa_msg answer = HOMA_MSG_INIT;
	ssize_t n = homa_invoke(homa, &server->sa, word, strlen(word), &answer);

	if (n < 0)
		return say(word, n);
	printf("%.*s\n", (int)n, (char *)homa_data(&answer));
	homa_release(&answer);
	return 0;
}

int main(int argc, char **argv)
{
	int err, i, failed = 0, server = argc == 3 && !strcmp(argv[1], "server");
	union homa_addr addr;
	struct homa *homa;

	if (argc < 4 && !server) {
		fputs("usage: echo server PORT\n       echo HOST PORT WORD...\n", stderr);
		return 2;
	}
	err = homa_open(&homa, AF_INET6, server ? atoi(argv[2]) : 0, 0, 0);
	if (err)
		return say("open", err);
	if (server)
		return serve(homa);
	err = homa_address(homa, argv[1], atoi(argv[2]), &addr);
	if (err)
		return say(argv[1], err);
	for (i = 3; i < argc; i++)
		failed |= ask(homa, &addr, argv[i]);
	homa_close(homa);
	return failed;
}
