// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Random system calls by several threads and processes on the same sockets, from
 * the seed on the command line.
 *
 * Each call must return one of its errnos (lib/errnos.c), each message that a
 * clean socket receives must be one that was sent, every call must end, an
 * ordinary RPC must work whenever all others rest, and nothing may be left at
 * last. The kernel's log is judged by whoever runs this; when it has a report, the
 * last calls of each thread are printed.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "ktap.h"
#include "ns.h"

#define PROCESSES 2
#define PROBE_MS 3000
#define STUCK_MS 20000
#define PATIENCE_MS 40	/* a call that takes longer gets a signal */
#define MANY 50000	/* calls: so many receive a large message, too */
#define MAX_SYSCTLS 100

struct shared *shared;
char sysctls[MAX_SYSCTLS][40];
int num_sysctls;

static char defaults[MAX_SYSCTLS][200];

static struct {
	unsigned long seed, calls;
	double seconds;
	int threads, probes;
	int ns[2];
	int kmsg;
	pid_t pids[PROCESSES];
} run = { .seed = 1, .seconds = 20, .threads = 4 };

static bool stopping(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED);
}

static void rest(void)
{
	__atomic_fetch_add(&shared->resting, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->pause, __ATOMIC_SEQ_CST) && !stopping())
		usleep(1000);
	__atomic_fetch_sub(&shared->resting, 1, __ATOMIC_SEQ_CST);
}

/* What a thread does next depends on the seed, the thread and the number only. */
static void one_call(struct worker *w, uint64_t number)
{
	int total = 0, pick, op;

	w->random = (run.seed * 1000003 + w->index) * 0x9e3779b97f4a7c15 + number;
	for (op = 0; op < num_ops; op++)
		total += ops[op].weight;
	pick = below(w, total);
	for (op = 0; pick >= ops[op].weight; op++)
		pick -= ops[op].weight;
	w->entry = &shared->rings[w->index][number % RING];
	*w->entry = (struct entry){ .number = number, .op = op, .slot = -1 };
	__atomic_store_n(&shared->since[w->index], now_ms() + 1, __ATOMIC_RELEASE);
	ops[op].run(w);
	__atomic_store_n(&shared->since[w->index], 0, __ATOMIC_RELEASE);
	__atomic_fetch_add(&shared->done[op], 1, __ATOMIC_RELAXED);
	shared->numbers[w->index] = number + 1;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!stopping() && (!run.calls || shared->numbers[w->index] < run.calls)) {
		if (__atomic_load_n(&shared->pause, __ATOMIC_SEQ_CST))
			rest();
		else
			one_call(w, shared->numbers[w->index]);
	}
	/* Those that are done rest, too. */
	__atomic_fetch_add(&shared->resting, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void on_signal(int number)
{
	(void)number;
}

static void *make_buffer(void)
{
	char *area = mmap(NULL, BUFFER + 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(area != MAP_FAILED, "no memory");
	mprotect(area + BUFFER, 4096, PROT_NONE);
	return area;
}

static void raw_sockets(struct worker *w)
{
	for (int ns = 0; ns < 2; ns++) {
		ns_enter(run.ns[ns]);
		w->raw[ns][0] = socket(AF_INET, SOCK_RAW, IPPROTO_HOMA);
		w->raw[ns][1] = socket(AF_INET6, SOCK_RAW, IPPROTO_HOMA);
	}
}

static void make_slots(struct slot *slots)
{
	/* Those who place a region badly reach into the next one at most. */
	char *area = mmap(NULL, (SLOTS + 1) * REGION, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(area != MAP_FAILED, "no memory");
	for (int i = 0; i < SLOTS; i++) {
		slots[i].region = area + i * REGION;
		pthread_rwlock_init(&slots[i].lock, NULL);
		for (int k = 0; k < SEEN; k++)
			slots[i].seen[k].from = haddr_of(AF_INET, "10.9.0.2", 1);
	}
}

/* Interrupts calls that wait, until all threads are done. */
static void interrupt(struct worker *workers)
{
	for (int left = run.threads, i = 0; left; i = (i + 1) % run.threads) {
		int64_t since = __atomic_load_n(&shared->since[workers[i].index],
						__ATOMIC_ACQUIRE);

		if (workers[i].thread && since && now_ms() - since > PATIENCE_MS)
			pthread_kill(workers[i].thread, SIGUSR1);
		if (workers[i].thread &&
		    !pthread_tryjoin_np(workers[i].thread, NULL)) {
			workers[i].thread = 0;
			left--;
		}
		if (i == 0)
			sleep_ms(5);
	}
}

static void process_run(int process, int pass)
{
	struct worker *workers = calloc(run.threads, sizeof(*workers));
	struct slot *slots = calloc(SLOTS, sizeof(*slots));
	struct sigaction action = { .sa_handler = on_signal };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &action, NULL);
	make_slots(slots);
	for (int i = 0; i < run.threads; i++) {
		struct worker *w = &workers[i];

		*w = (struct worker){
			.process = process, .index = process * run.threads + i,
			.slots = slots, .ns = { run.ns[0], run.ns[1] },
			.pass = pass, .epoll = epoll_create1(EPOLL_CLOEXEC),
			.buf = make_buffer(),
		};
		w->entry = &shared->rings[w->index][0];
		raw_sockets(w);
	}
	for (int i = 0; i < SLOTS; i++)
		slot_open(&workers[0], i);
	for (int i = 0; i < run.threads; i++)
		ASSERT_EQ(pthread_create(&workers[i].thread, NULL, work,
					 &workers[i]), 0);
	interrupt(workers);
	fflush(stdout);
	_exit(0);
}

static void print_rings(const char *why)
{
	printf("# %s; the last calls of each thread:\n", why);
	for (int i = 0; i < PROCESSES * run.threads; i++) {
		uint64_t number = shared->numbers[i];

		for (uint64_t n = number < RING ? 0 : number - RING + 1; n <= number; n++) {
			const struct entry *e = &shared->rings[i][n % RING];

			if (e->number == n)
				printf("#   thread %d call %lu: %s, socket %d: %d%s\n",
				       i, n, ops[e->op].name, e->slot, e->rc,
				       n == number ? " (not over)" : "");
		}
	}
	fflush(stdout);
}

/* Does the kernel's log have a report? */
static bool kernel_complains(void)
{
	static const char *const words[] = {
		"BUG:", "WARNING:", "KASAN", "UBSAN:", "ODEBUG:", "refcount_t:",
		"INFO: possible", "suspicious", "corruption", "Bad page state",
	};
	char text[8192];
	ssize_t len;

	while ((len = read(run.kmsg, text, sizeof(text) - 1)) > 0 ||
	       (len < 0 && errno == EPIPE)) {
		text[len < 0 ? 0 : len] = '\0';
		for (int i = 0; i < ARRAY_LEN(words); i++)
			if (strstr(text, words[i]))
				return true;
	}
	return false;
}

static void sysctl_paths(void)
{
	DIR *dir = opendir("/proc/sys/net/homa");
	struct dirent *entry;

	ASSERT(dir, "no settings");
	while ((entry = readdir(dir)) && num_sysctls < MAX_SYSCTLS) {
		char path[300];
		ssize_t len;
		int fd;

		snprintf(path, sizeof(path), "/proc/sys/net/homa/%s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (entry->d_name[0] == '.' || fd < 0)
			continue;
		len = read(fd, defaults[num_sysctls], sizeof(defaults[0]) - 1);
		close(fd);
		ASSERT(len > 0, "%s: %s", path, strerror(errno));
		strncpy(sysctls[num_sysctls++], entry->d_name, sizeof(sysctls[0]) - 1);
	}
	closedir(dir);
}

/* Makes both hosts what they were. A small MTU of a device stays behind in the cache
 * of routes, as what the path can take.
 */
static void mend(void)
{
	for (int ns = 0; ns < 2; ns++) {
		ns_run(run.ns[ns], "ip link set v0 up mtu 1500 && "
		       "ip addr replace fd09::%d/64 dev v0 nodad && "
		       "ip neigh replace fd09::%d lladdr 02:09:00:00:00:%02x "
		       "nud permanent dev v0 && "
		       "ip neigh replace 10.9.0.%d lladdr 02:09:00:00:00:%02x "
		       "nud permanent dev v0 && "
		       "ip route flush cache && ip -6 route flush cache",
		       ns + 1, 2 - ns, 2 - ns, 2 - ns, 2 - ns);
		for (int i = 0; i < num_sysctls; i++)
			if (strcmp(sysctls[i], "action") &&
			    strcmp(sysctls[i], "next_id"))
				ns_sysctl(run.ns[ns], sysctls[i], defaults[i]);
		if (ns_real_time())
			ns_sysctl(run.ns[ns], "timeout_ticks", "2000");
		/* Writing unsched_cutoffs has ended it. */
		ns_sysctl(run.ns[ns], "auto_cutoffs", "1");
	}
}

/* RPCs of all sizes between two sockets of their own work. */
static void ordinary_rpcs(int family)
{
	union haddr to = haddr_of(family, family == AF_INET ? "10.9.0.2" :
				  "fd09::2", 500);
	struct hsock client;
	struct echoer echoer;

	if (getenv("FAULTS_LOG"))	/* allocations fail, and so may they */
		return;
	client = hsock_open(run.ns[0], family);
	echoer_start(&echoer, run.ns[1], family, 500);
	for (int len = 1; len <= 1000000; len *= 10) {
		struct homa_info info = { 0 };
		int rc = round_trip(&client, &to, len, len, 10000);

		if (rc)
			hsock_info(&client, &info);
		EXPECT(!rc, "RPC of %d bytes, family %d: %s, %s", len, family,
		       ktap_errno_name(-rc), info.error_msg);
	}
	echoer_stop(&echoer);
	hsock_close(&client);
}

/* All threads rest; is everything in order? False: some thread does not rest. */
static bool probe(void)
{
	int threads = PROCESSES * run.threads;

	__atomic_store_n(&shared->pause, 1, __ATOMIC_SEQ_CST);
	if (!WAIT_FOR(__atomic_load_n(&shared->resting, __ATOMIC_SEQ_CST) == threads,
		      STUCK_MS)) {
		EXPECT(false, "a call does not end");
		print_rings("a call does not end");
		return false;
	}
	mend();
	ktap_label("after %lu calls of thread 0", shared->numbers[0]);
	ordinary_rpcs(run.probes++ % 2 ? AF_INET : AF_INET6);
	__atomic_store_n(&shared->pause, 0, __ATOMIC_SEQ_CST);
	return true;
}

/* Are they over? Notes one that did not end well. */
static bool processes_over(void)
{
	bool over = true;

	for (int i = 0; i < PROCESSES; i++) {
		int status = 0;

		if (!run.pids[i])
			continue;
		if (waitpid(run.pids[i], &status, WNOHANG) == run.pids[i])
			run.pids[i] = 0;
		else
			over = false;
		if (!EXPECT(!status, "process %d: status %x", i, status))
			print_rings("a process ended");
	}
	return over;
}

static void watch(void)
{
	int64_t end = now_ms() + run.seconds * 1000, next = now_ms() + PROBE_MS;

	while (!processes_over() && (run.calls || now_ms() < end)) {
		if (kernel_complains()) {
			print_rings("the kernel has a report");
			break;
		}
		if (now_ms() > next) {
			if (!probe())
				break;
			next = now_ms() + PROBE_MS;
		}
		sleep_ms(50);
	}
	__atomic_store_n(&shared->stop, 1, __ATOMIC_SEQ_CST);
	if (!EXPECT(WAIT_FOR(processes_over(), STUCK_MS), "a call does not end"))
		print_rings("a call does not end");
	for (int i = 0; i < PROCESSES; i++)
		if (run.pids[i])
			kill(run.pids[i], SIGKILL);
}

/* Number of sockets and pages of memory of @protocol, of /proc/net/protocols. */
static void protocol_use(const char *protocol, int *sockets, int *memory)
{
	FILE *file = fopen("/proc/thread-self/net/protocols", "r");
	char line[300], name[50];
	int size;

	*sockets = *memory = -1;
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%49s %d %d %d", name, &size, sockets, memory) == 4 &&
		    !strcmp(name, protocol))
			break;
	fclose(file);
}

static int file_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[500];
	int n = 0;

	while (file && fgets(line, sizeof(line), file))
		n++;
	if (file)
		fclose(file);
	return n;
}

static void nothing_is_left(void)
{
	int sockets = 0, memory = 0;

	for (int ns = 0; ns < 2; ns++) {
		ns_enter(run.ns[ns]);
		ktap_label("host %d", ns);
		EXPECT(WAIT_FOR((protocol_use("HOMA", &sockets, &memory), !sockets),
				5000), "%d sockets of IPv4 are left", sockets);
		protocol_use("HOMAv6", &sockets, &memory);
		EXPECT(!sockets, "%d sockets of IPv6 are left", sockets);
		/* Each processor may have some in reserve (256 in net/core/sock.h). */
		EXPECT(WAIT_FOR((protocol_use("HOMA", &sockets, &memory),
				 memory <= 256 * get_nprocs_conf()), 5000),
		       "%d pages are left", memory);
		EXPECT_EQ(file_lines("/proc/thread-self/net/homa/socks"), 1);
		EXPECT_EQ(file_lines("/proc/thread-self/net/homa/rpcs"), 1);
	}
}

static void report(void)
{
	uint64_t calls = 0;

	for (int i = 0; i < num_ops; i++) {
		printf("# %8lu %s\n", shared->done[i], ops[i].name);
		calls += shared->done[i];
	}
	printf("# seed %lu: %lu calls, %lu with errors, %lu messages compared (%lu large), %d probes\n",
	       run.seed, calls, shared->failed, shared->verified,
	       shared->verified_large, run.probes);
	EXPECT(shared->verified > calls / 1000, "hardly any message was received");
	EXPECT(shared->verified_large || calls < MANY, "no large message was received");
}

static void calls_at_random(void)
{
	int pass[2];

	run.kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	lseek(run.kmsg, 0, SEEK_END);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(shared != MAP_FAILED, "no memory");
	for (int i = 0; i < 2; i++)
		run.ns[i] = ns_new();
	ns_join(run.ns[0], run.ns[1], 1500);
	ns_enter(run.ns[0]);
	sysctl_paths();
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pass), 0);
	fflush(stdout);
	for (int i = 0; i < PROCESSES; i++) {
		run.pids[i] = fork();
		if (!run.pids[i])
			process_run(i, pass[i]);
	}
	close(pass[0]);
	close(pass[1]);
	watch();
	mend();
	ordinary_rpcs(AF_INET);
	ordinary_rpcs(AF_INET6);
	nothing_is_left();
	report();
}

static void usage(void)
{
	puts("Usage: fuzz [--seed N] [--seconds S | --calls N] [--threads N]\n\n"
	     "Makes random calls on Homa sockets: for S seconds (20), or N calls in each\n"
	     "thread. There are two processes, each with N threads (4). In virtual time\n"
	     "the same seed and number of calls are the same run.\n\n"
	     "Example: lab run --no-topology --flavor debug -- out/bin/test/fuzz --seed 7 --calls 3000");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", 1, NULL, 's' }, { "seconds", 1, NULL, 't' },
		{ "calls", 1, NULL, 'c' }, { "threads", 1, NULL, 'n' },
		{ "help", 0, NULL, 'h' }, { 0 },
	};
	struct ktap_case fuzz = KTAP_CASE(calls_at_random);
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 's')
			run.seed = strtoul(optarg, NULL, 0);
		else if (c == 't')
			run.seconds = atof(optarg);
		else if (c == 'c')
			run.calls = strtoul(optarg, NULL, 0);
		else if (c == 'n')
			run.threads = atoi(optarg);
		else
			return usage(), c == 'h' ? 0 : 2;
	}
	if (run.threads < 1 || run.threads > MAX_WORKERS / PROCESSES ||
	    run.seconds <= 0 || optind < argc)
		return usage(), 2;
	fuzz.seconds = run.calls ? 3600 : run.seconds + 300;
	return ktap_main(1, argv, &fuzz, 1);
}
