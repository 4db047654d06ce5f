// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* copy: fetches files in pieces, several at a time; the server has several threads.
 *
 *	copy server PORT FOLDER
 *	copy HOST PORT NAME FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libhoma.h>

#define PIECE 500000		/* bytes */
#define AT_A_TIME 8

/* A request. */
struct piece {
	uint64_t offset;
	char name[256];		/* in the server's folder */
};

static int fail(const char *what, int err)
{
	fprintf(stderr, "copy: %s: %s\n", what, strerror(err));
	return 1;
}

/* Answers with an errno and, if that is 0, what the file has there. */
static void answer(struct homa *homa, const struct homa_msg *msg, char *buffer)
{
	struct piece piece = { .name = "/" };
	int fd = -1;
	ssize_t n;

	homa_copy(msg, 0, &piece, sizeof(piece));
	piece.name[sizeof(piece.name) - 1] = 0;
	if (!strchr(piece.name, '/'))
		fd = open(piece.name, O_RDONLY | O_CLOEXEC);
	n = pread(fd, buffer + 1, PIECE, piece.offset);
	close(fd);
	buffer[0] = n < 0 ? ENOENT : 0;
	homa_reply(homa, msg, buffer, n < 0 ? 1 : n + 1);
}

static void *serve(void *arg)
{
	struct homa_msg msg = HOMA_MSG_INIT;
	char buffer[PIECE + 1];

	while (homa_recv(arg, &msg, 0) >= 0)
		answer(arg, &msg, buffer);
	return NULL;
}

/* Writes a response where its cookie says. Returns its length or an error. */
static ssize_t receive(struct homa *homa, struct homa_msg *msg, int fd)
{
	ssize_t n = homa_recv(homa, msg, 0), part;
	off_t at = msg->cookie;
	size_t skip = 1;	/* the errno */
	int i;

	if (n > 0 && *(char *)msg->iov[0].iov_base)
		return -*(char *)msg->iov[0].iov_base;
	for (i = 0; i < msg->iovcnt; i++, at += part, skip = 0) {
		part = msg->iov[i].iov_len - skip;
		if (pwrite(fd, (char *)msg->iov[i].iov_base + skip, part, at) != part)
			return -EIO;
	}
	return n < 0 ? n : n - 1;
}

static int fetch(struct homa *homa, const union homa_addr *server, const char *name, int fd)
{
	struct homa_msg msg = HOMA_MSG_INIT;
	struct piece piece = { .offset = 0 };
	int outstanding = 0, end = 0;
	ssize_t n = 0;

	strncpy(piece.name, name, sizeof(piece.name) - 1);
	while (n >= 0 && (outstanding || !end)) {
		for (; n >= 0 && !end && outstanding < AT_A_TIME; piece.offset += PIECE) {
			n = homa_send(homa, &server->sa, &piece, sizeof(piece), piece.offset, NULL);
			outstanding += !n;
		}
		n = n < 0 ? n : receive(homa, &msg, fd);
		outstanding--;
		end |= n < PIECE;	/* in this piece, or before it */
	}
	homa_release(&msg);
	return n < 0 ? fail(name, -n) : 0;
}

int main(int argc, char **argv)
{
	int i, err, server = argc == 4 && !strcmp(argv[1], "server");
	union homa_addr addr;
	struct homa *homa;
	pthread_t thread;

	if (!server && argc != 5)
		return fail("server PORT FOLDER | HOST PORT NAME FILE", EINVAL);
	err = homa_open(&homa, AF_INET6, server ? atoi(argv[2]) : 0, 0, 0);
	if (!err && !server)
		err = homa_address(homa, argv[1], atoi(argv[2]), &addr);
	if (err)
		return fail(argv[1], -err);
	if (!server)
		return fetch(homa, &addr, argv[3], open(argv[4], O_CREAT | O_EXCL | O_WRONLY, 0666));
	if (chdir(argv[3]))
		return fail(argv[3], errno);
	for (i = 1; i < 4; i++)
		pthread_create(&thread, NULL, serve, homa);
	return serve(homa) ? 0 : fail("receive", EIO);
}
