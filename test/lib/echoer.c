// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* A thread that answers requests with their own bytes; see hsock.h. */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"

static void echo_one(struct echoer *e, struct hmsg *m, char *buf)
{
	payload_gather(&e->hs, m, buf);
	if (e->delay_us)
		usleep(e->delay_us);
	__atomic_fetch_add(&e->served, 1, __ATOMIC_RELAXED);
	hsock_reply(&e->hs, &m->from, m->args.id, buf, m->rc);
}

static void *echo_run(void *arg)
{
	char *buf = malloc(HOMA_MAX_MESSAGE_LENGTH);
	struct echoer *e = arg;
	struct hmsg m;

	memset(&m, 0, sizeof(m));
	for (;;) {
		m.args.id = 0;
		hsock_recvmsg(&e->hs, &m, 0);
		if (m.rc >= 0)
			echo_one(e, &m, buf);
		else if (m.rc != -EINTR)
			break;
	}
	free(buf);
	return NULL;
}

void echoer_start(struct echoer *e, int ns, int family, int port)
{
	pthread_t thread;

	e->hs = hsock_server(ns, family, port);
	e->served = 0;
	e->delay_us = 0;
	ASSERT_EQ(pthread_create(&thread, NULL, echo_run, e), 0);
	e->thread = thread;
}

void echoer_stop(struct echoer *e)
{
	shutdown(e->hs.fd, SHUT_RDWR);
	pthread_join(e->thread, NULL);
	hsock_close(&e->hs);
}
