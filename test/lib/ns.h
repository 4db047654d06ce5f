/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Network namespaces of a test program, known by file descriptor.
 *
 * They have no names under /run/netns, so they vanish with the program.
 */
#ifndef TEST_LIB_NS_H
#define TEST_LIB_NS_H

#include <stdbool.h>
#include <stdint.h>

/* Makes a namespace with lo up and returns its descriptor; the caller stays
 * where it is.
 */
int ns_new(void);

/* Moves the calling thread into a namespace. */
void ns_enter(int ns);

/* Runs a shell command in a namespace; the test ends if it fails. */
void ns_run(int ns, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, but a failure is returned (exit status) instead. */
int ns_try(int ns, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Joins two namespaces by a veth pair: device "v0" in both, addresses
 * 10.9.0.1 and fd09::1 in @a, .2 and ::2 in @b, neighbours known. Device @mtu.
 */
void ns_join(int a, int b, int mtu);

/* Writes net.homa.NAME of a namespace; returns 0 or -errno. */
int ns_sysctl(int ns, const char *name, const char *value);

/* Does time pass as outside? Then silence may only mean that the machine is busy. */
bool ns_real_time(void);

/* Enters a namespace and reads its timetrace, which begins anew then; "" if there is
 * none. What is read goes to the file that NS_TRACES names, too, if any, as do traces
 * of the first 100 namespaces at the end of the program.
 */
void ns_read_trace(int ns, char *text, size_t size);

/* Milliseconds on the monotonic clock. */
int64_t now_ms(void);

/* Nanoseconds on the monotonic clock. */
int64_t now_ns(void);

/* Sleeps; for waiting until time has passed, never for a condition. */
void sleep_ms(int ms);

/* Evaluates @cond every millisecond until it holds or @ms have passed; its
 * value is whether it held.
 */
#define WAIT_FOR(cond, ms) ({						\
	int64_t wait_end = now_ms() + (ms);				\
	bool wait_ok;							\
	while (!(wait_ok = !!(cond)) && now_ms() < wait_end)		\
		sleep_ms(1);						\
	wait_ok;							\
})

#endif
