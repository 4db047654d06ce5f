// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The hint that a client expects many responses, over IPv4 and IPv6.
 *
 * desc: the incast hint is set when it should be, heeded, and needed by nobody
 * lab: --no-topology
 * flavor: fast@quick debug
 *
 * It is a bit of what is padding elsewhere. Whether a server knows it must make
 * no difference to the client but in the bytes that come without grants.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

#define PORT 77			/* servers, on either side */
#define PEER_CLIENT 0x9001	/* the peer's port as a client */
#define AT_HINTS AT_PAD
#define INCAST 1
#define MANY 32			/* net.homa.incast_rpcs */
#define FEW_BYTES 1400		/* net.homa.incast_unsched_bytes */

static struct wpkt p;
static char buf[HOMA_MAX_MESSAGE_LENGTH];

/* A client of the host sends a short request; the hints that arrive. */
static int request_hints(struct hsock *hs, uint64_t *id)
{
	union haddr to = wnet_peer_addr(hs->family, PORT);

	payload_fill(buf, 100, 100);
	ASSERT_RC(hsock_request(hs, &to, buf, 100, id), 0);
	do {
		w_expect(&p, W_DATA, 1000);
	} while (get64(&p, AT_ID) != *id);
	EXPECT_EQ(p.b[AT_HINTS + 1], 0);
	EXPECT_EQ(p.b[AT_HINTS + 2], 0);
	return p.b[AT_HINTS];
}

/* The peer answers a request of the host's client, which receives it. */
static void answer(struct hsock *hs, uint64_t id)
{
	struct hmsg m;

	w_data(&p, hs->family, PORT, hsock_port(hs), id ^ 1, 10, 0, 10, 5);
	w_send(&p);
	ASSERT_RC(hsock_recv_within(hs, &m, 0, 1000), 10);
	hsock_return(hs, &m);
}

static void many_requests_have_it(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_open(wnet.host, family);
		uint64_t ids[MANY + 8], id;
		struct counters before;

		w_drain();
		counters_read(wnet.host, &before);
		for (int i = 0; i < ARRAY_LEN(ids); i++)
			EXPECT_EQ(request_hints(&hs, &ids[i]),
				  i < MANY ? 0 : INCAST);
		EXPECT_EQ(counters_grew(wnet.host, &before, "incast_requests"),
			  8);

		/* Answered or given up: there are not too many any more. */
		for (int i = 0; i < 7; i++)
			answer(&hs, ids[i]);
		EXPECT_EQ(request_hints(&hs, &id), INCAST);
		answer(&hs, id);
		ASSERT_RC(hsock_abort(&hs, ids[8], 0), 0);
		ASSERT_RC(hsock_abort(&hs, ids[9], EIO), 0);
		EXPECT_EQ(request_hints(&hs, &id), 0);
		EXPECT_EQ(request_hints(&hs, &id), INCAST);
		hsock_close(&hs);

		hs = hsock_open(wnet.host, family);
		EXPECT_EQ(request_hints(&hs, &id), 0);
		hsock_close(&hs);
	}
}

static void switched_off_nobody_has_it(void)
{
	ASSERT_RC(ns_sysctl(wnet.host, "incast_rpcs", "0"), 0);
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_open(wnet.host, family);
		uint64_t id;

		w_drain();
		for (int i = 0; i < 2 * MANY; i++)
			EXPECT_EQ(request_hints(&hs, &id), 0);
		hsock_close(&hs);
	}
	ASSERT_RC(ns_sysctl(wnet.host, "incast_rpcs", "32"), 0);
}

/* A request with hints arrives at a server of the host, which answers with
 * @len bytes. What is announced and comes without grants must be @unsched.
 */
static void expect_unsched(int family, int hints, int len, int unsched)
{
	struct hsock server = hsock_server(wnet.host, family, PORT);
	uint64_t id = w_new_id();
	struct hmsg m;
	int end = 0;

	ktap_label("family %d hints %d length %d", family, hints, len);
	w_drain();
	w_data(&p, family, PEER_CLIENT, PORT, id, 10, 0, 10, 5);
	p.b[AT_HINTS] = hints;
	p.b[AT_HINTS + 1] = 0xff;	/* of no meaning to anybody */
	p.b[AT_HINTS + 2] = 0xff;
	w_send(&p);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 10);
	payload_fill(buf, len, 3);
	ASSERT_RC(hsock_reply(&server, &m.from, m.args.id, buf, len), 0);
	while (end < unsched) {
		w_expect(&p, W_DATA, 1000);
		EXPECT_EQ(get32(&p, AT_INCOMING), unsched);
		EXPECT_EQ(get32(&p, AT_LENGTH), len);
		EXPECT_EQ(get32(&p, AT_OFFSET), end);
		end += p.len - w_header_len(W_DATA);
	}
	EXPECT_EQ(end, unsched);
	EXPECT(!w_find(&p, W_DATA, 20), "more than announced");

	/* The rest comes with a grant, and from there. */
	w_grant(&p, family, PEER_CLIENT, PORT, id, len, 2);
	w_send(&p);
	while (end < len) {
		w_expect(&p, W_DATA, 1000);
		EXPECT_EQ(get32(&p, AT_OFFSET), end);
		end += p.len - w_header_len(W_DATA);
	}
	hsock_close(&server);
}

static void responses_heed_it(void)
{
	struct counters before;

	counters_read(wnet.host, &before);
	FOR_FAMILIES(family) {
		expect_unsched(family, 0, 5000, 5000);
		expect_unsched(family, INCAST, 5000, FEW_BYTES);
		expect_unsched(family, INCAST, 50000, FEW_BYTES);
		expect_unsched(family, INCAST, FEW_BYTES, FEW_BYTES);
		expect_unsched(family, INCAST, 100, 100);
		expect_unsched(family, 0xfe, 5000, 5000);
		expect_unsched(family, 0xff, 5000, FEW_BYTES);
	}
	EXPECT_EQ(counters_grew(wnet.host, &before, "incast_responses"), 6);
}

static void limit_is_a_setting(void)
{
	ASSERT_RC(ns_sysctl(wnet.host, "incast_unsched_bytes", "300"), 0);
	FOR_FAMILIES(family)
		expect_unsched(family, INCAST, 5000, 300);
	ASSERT_RC(ns_sysctl(wnet.host, "incast_unsched_bytes", "1000000"), 0);
	FOR_FAMILIES(family)
		expect_unsched(family, INCAST, 50000, 40000);
	EXPECT_RC(ns_sysctl(wnet.host, "incast_unsched_bytes", "0"), -EINVAL);
	EXPECT_RC(ns_sysctl(wnet.host, "incast_rpcs", "-1"), -EINVAL);
	ASSERT_RC(ns_sysctl(wnet.host, "incast_unsched_bytes", "1400"), 0);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(many_requests_have_it),
		KTAP_CASE(switched_off_nobody_has_it),
		KTAP_CASE(responses_heed_it),
		KTAP_CASE(limit_is_a_setting),
	};

	wnet_init();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
