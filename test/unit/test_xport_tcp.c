// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Clients and servers of cp_node together, over TCP on this machine. */
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../util/cp_node/client.h"
#include "../../util/cp_node/results.h"
#include "../../util/cp_node/server.h"
#include "../../util/lib/clock.h"
#include "unit.h"

#define SERVER_PORTS 3

struct fixture {
	struct server_list list;
	struct server *server;
	struct client_opts o;
	char folder[32], json[64], rpcs[64];
};

static struct fixture *setup(int port_threads)
{
	struct server_opts so = { .protocol = "tcp", .ports = SERVER_PORTS, .pin = -1,
				  .port_threads = port_threads, .verify = true };
	struct fixture *f = calloc(1, sizeof(*f));
	int tries;

	pthread_mutex_init(&f->list.lock, NULL);
	for (tries = 0; !f->server && tries < 20; tries++) {
		so.first_port = 10000 + (getpid() * 7 + tries * 101) % 20000;
		f->server = server_start(&so, &f->list);
	}
	EXPECT(f->server);
	f->o = (struct client_opts){
		.protocol = "tcp", .servers = "127.0.0.1", .workload = "1-100000",
		.drain = 20, .client_max = 20, .ports = 2, .port_receivers = 2,
		.server_ports = SERVER_PORTS, .first_port = so.first_port, .seed = 1,
		.limit = 500, .verify = true,
	};
	strcpy(f->folder, "/tmp/test_xport.XXXXXX");
	EXPECT(mkdtemp(f->folder));
	sprintf(f->json, "%s/json", f->folder);
	sprintf(f->rpcs, "%s/rpcs", f->folder);
	return f;
}

static void teardown(struct fixture *f)
{
	while (f->list.first)
		server_free(f->list.first);
	unlink(f->json);
	unlink(f->rpcs);
	rmdir(f->folder);
	free(f);
}

/* Wait for the end of @c, at most a minute. Return: what it counted. */
static struct counts finish(struct client *c)
{
	struct pollfd p = { .fd = c->done_fd, .events = POLLIN };
	struct counts n;

	EXPECT_EQ(poll(&p, 1, 60000), 1);
	pthread_join(c->controller, NULL);
	n = client_counts(c);
	EXPECT_EQ(client_free(c), 0);
	return n;
}

static struct counts run(struct fixture *f)
{
	struct client *c = client_start(&f->o, &f->list);

	EXPECT(c);
	return c ? finish(c) : (struct counts){ .started = 0 };
}

static void run__all_requests_are_answered_and_verified(void)
{
	struct fixture *f = setup(2);
	struct counts n = run(f);
	struct server_counts m = server_list_counts(&f->list);

	EXPECT_EQ(n.started, 500);
	EXPECT_EQ(n.done, 500);
	EXPECT_EQ(n.failed, 0);
	EXPECT_EQ(n.bad, 0);
	EXPECT_EQ(n.bytes_in, n.bytes_out);
	EXPECT_EQ(m.requests, 500);
	EXPECT_EQ(m.bytes_in, n.bytes_out);
	EXPECT_EQ(m.bad, 0);
	EXPECT_EQ(m.repeated, 0);
	teardown(f);
}

static void run__shapes_of_load(void)
{
	struct fixture *f = setup(1);
	struct counts n;

	f->o.one_way = true;
	n = run(f);
	EXPECT_EQ(n.done, 500);
	EXPECT(n.bytes_in < n.bytes_out && n.bytes_in <= 500 * 100);

	f->o.one_way = false;
	f->o.port_receivers = 0;		/* the senders receive */
	n = run(f);
	EXPECT_EQ(n.done, 500);

	f->o.port_receivers = 1;
	f->o.avoid_backed_up = true;
	f->o.workload = "500000";
	f->o.limit = 100;
	n = run(f);
	EXPECT_EQ(n.done, 100);
	EXPECT(n.backed_up > 0);
	teardown(f);
}

static void run__unloaded_sends_each_size_alone(void)
{
	struct fixture *f = setup(1);
	struct counts n;

	f->o.workload = "w1";
	f->o.unloaded = 3;
	f->o.limit = 0;
	n = run(f);
	EXPECT_EQ(n.done, 3 * 156);
	EXPECT_EQ(server_list_counts(&f->list).requests, 4 * 156);
	teardown(f);
}

/* Two columns of a --rpcs file: sizes and intended times, in order. */
static int read_rpcs(const char *name, unsigned long long *sizes, unsigned long long *times)
{
	FILE *f = fopen(name, "r");
	char line[256];
	int n = 0;

	EXPECT(f && fgets(line, sizeof(line), f));
	EXPECT_STR(line, "rpc_id,server,size,resp_size,intended_ns,sent_ns,done_ns,status\n");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long long id, resp, sent, done;
		char status[16];

		EXPECT_EQ(sscanf(line, "%llu,127.0.0.1,%llu,%llu,%llu,%llu,%llu,%15s", &id,
				 &sizes[n], &resp, &times[n], &sent, &done, status), 7);
		EXPECT_EQ(id, n);
		EXPECT_EQ(resp, sizes[n]);
		EXPECT(sent >= times[n] && done > sent);
		EXPECT_STR(status, "ok");
		n++;
	}
	if (f)
		fclose(f);
	return n;
}

static void run__load_is_the_same_whatever_the_ports(void)
{
	static unsigned long long sizes[2][1000], times[2][1000];
	struct fixture *f = setup(1);
	int n[2], i;

	f->o.gbps = 0.1;
	f->o.workload = "w2";
	f->o.seconds = 0.01;
	f->o.limit = 0;
	f->o.rpcs = f->rpcs;
	for (i = 0; i < 2; i++) {
		f->o.ports = i ? 1 : 4;
		run(f);
		n[i] = read_rpcs(f->rpcs, sizes[i], times[i]);
		unlink(f->rpcs);
	}
	EXPECT(n[0] > 200 && n[0] < 400);
	EXPECT_EQ(n[0], n[1]);
	EXPECT(!memcmp(sizes[0], sizes[1], sizeof(sizes[0])));
	EXPECT(!memcmp(times[0], times[1], sizeof(times[0])));
	EXPECT(times[0][n[0] - 1] < 10000000);
	teardown(f);
}

static void results__are_not_overwritten(void)
{
	struct fixture *f = setup(1);
	FILE *file;

	f->o.json = f->json;
	run(f);
	EXPECT_EQ(access(f->json, F_OK), 0);
	EXPECT(!client_start(&f->o, &f->list));
	/* One that appears during the run stays as it is, and the run says so. */
	unlink(f->json);
	f->o.gbps = 0.1;
	f->o.limit = 0;
	f->o.seconds = 0.05;
	struct client *c = client_start(&f->o, &f->list);
	struct pollfd p = { .fd = c->done_fd, .events = POLLIN };

	file = fopen(f->json, "w");
	fclose(file);
	EXPECT_EQ(poll(&p, 1, 60000), 1);
	pthread_join(c->controller, NULL);
	EXPECT_EQ(client_free(c), 1);
	teardown(f);
}

static void run__a_server_that_goes_away_fails_requests(void)
{
	struct fixture *f = setup(1);
	struct client *c;
	struct counts n;

	f->o.limit = 0;
	c = client_start(&f->o, &f->list);
	EXPECT(c);
	clock_sleep_until(clock_ns() + 50000000);
	server_free(f->server);
	clock_sleep_until(clock_ns() + 50000000);
	client_stop(c, 5);
	n = finish(c);
	EXPECT(n.done > 0);
	EXPECT(n.failed > 0);
	EXPECT_EQ(n.done + n.failed, n.started);
	teardown(f);
}

/* The unfinished ones in a --rpcs file that are at least @age ns old. */
static int count_unfinished(const char *name, long long age)
{
	long long intended, done;
	char line[200], status[20];
	FILE *f = fopen(name, "r");
	int n = 0;

	EXPECT(f);
	while (f && fgets(line, sizeof(line), f))
		n += sscanf(line, "%*[^,],%*[^,],%*u,%*u,%lld,%*d,%lld,%19s", &intended, &done,
			    status) == 3 &&
		     !strcmp(status, "unfinished") && done - intended >= age;
	if (f)
		fclose(f);
	unlink(name);
	return n;
}

/* A server that accepts and never answers: requests are lost, not failed. */
static void run__ends_at_the_deadline(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct fixture *f = setup(1);
	socklen_t len = sizeof(a);
	struct counts n;
	uint64_t start;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	EXPECT_EQ(bind(fd, (struct sockaddr *)&a, len), 0);
	EXPECT_EQ(listen(fd, 10), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	f->o.first_port = ntohs(a.sin_port);
	f->o.server_ports = 1;
	f->o.ports = 1;
	f->o.seconds = 0.3;
	f->o.drain = 0.1;
	f->o.rpcs = f->rpcs;
	start = clock_ns();
	n = run(f);
	EXPECT(clock_ns() - start >= 400000000);
	EXPECT_EQ(n.started, 20);
	EXPECT_EQ(n.done, 0);
	EXPECT_EQ(n.failed, 0);
	EXPECT_EQ(n.unsent, 0);			/* a closed loop has no arrivals */
	EXPECT_EQ(count_unfinished(f->rpcs, 100000000), 20);

	/* 10,000 arrivals a second; 20 of those in 300 ms find room. */
	f->o.workload = "1250";
	f->o.gbps = 0.1;
	f->o.limit = 0;
	n = run(f);
	EXPECT_EQ(n.started, 20);
	EXPECT_EQ(n.done, 0);
	EXPECT(n.unsent > 2700 && n.unsent < 3300);
	close(fd);
	teardown(f);
}

static void start__refuses_what_cannot_work(void)
{
	struct fixture *f = setup(1);
	struct client_opts o = f->o;

	o.servers = "not an address";
	EXPECT(!client_start(&o, &f->list));
	o = f->o;
	o.servers = NULL;
	EXPECT(!client_start(&o, &f->list));
	o = f->o;
	o.servers = "127.0.0.1,::1";
	EXPECT(!client_start(&o, &f->list));
	o = f->o;
	o.workload = "w9";
	EXPECT(!client_start(&o, &f->list));
	o = f->o;
	o.protocol = "carrier-pigeon";
	EXPECT(!client_start(&o, &f->list));
	teardown(f);
}

static const struct unit_case cases[] = {
	UNIT_CASE(run__all_requests_are_answered_and_verified),
	UNIT_CASE(run__shapes_of_load),
	UNIT_CASE(run__unloaded_sends_each_size_alone),
	UNIT_CASE(run__load_is_the_same_whatever_the_ports),
	UNIT_CASE(results__are_not_overwritten),
	UNIT_CASE(run__a_server_that_goes_away_fails_requests),
	UNIT_CASE(run__ends_at_the_deadline),
	UNIT_CASE(start__refuses_what_cannot_work),
};

UNIT_MAIN(cases)
