// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Runs test cases, one child process each; see ktap.h. */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktap.h"

#define DEFAULT_SECONDS 60
#define MAX_SHOWN 10	/* failures of one case */

/* What a child tells its parent; in memory that both share. */
struct verdict {
	int failures;
	char first[700];
};

static struct {
	struct verdict *verdict;
	pthread_mutex_t lock;
	char label[160];
} run = { .lock = PTHREAD_MUTEX_INITIALIZER };

int ktap_family = AF_INET;

void ktap_label(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(run.label, sizeof(run.label), fmt, args);
	va_end(args);
}

const char *ktap_errno_name(long long err)
{
	const char *name;

	if (err == 0)
		return "0";
	name = strerrorname_np(err < 0 ? -err : err);
	return name ? name : "no errno";
}

void ktap_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	char what[300], where[700];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(where, sizeof(where), "%s%s%s (%s:%d)", run.label,
		 run.label[0] ? ": " : "", what, base ? base + 1 : file, line);
	pthread_mutex_lock(&run.lock);
	if (run.verdict->failures++ == 0)
		snprintf(run.verdict->first, sizeof(run.verdict->first), "%s",
			 where);
	else if (run.verdict->failures <= MAX_SHOWN)
		printf("# also: %s\n", where);
	pthread_mutex_unlock(&run.lock);
}

bool ktap_failed(void)
{
	return run.verdict->failures > 0;
}

void ktap_abort(void)
{
	fflush(stdout);
	_exit(1);
}

static void child_run(const struct ktap_case *c)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGALRM, SIG_DFL);
	alarm(c->seconds ? c->seconds : DEFAULT_SECONDS);
	c->run();
	fflush(stdout);
	_exit(run.verdict->failures ? 1 : 0);
}

/* Adds to the verdict what only the parent can see: how the child ended. */
static void judge_status(int status)
{
	struct verdict *v = run.verdict;

	if (v->failures)
		return;
	if (WIFSIGNALED(status)) {
		v->failures = 1;
		if (WTERMSIG(status) == SIGALRM)
			snprintf(v->first, sizeof(v->first), "timed out");
		else
			snprintf(v->first, sizeof(v->first), "killed by %s",
				 strsignal(WTERMSIG(status)));
	} else if (WEXITSTATUS(status)) {
		v->failures = 1;
		snprintf(v->first, sizeof(v->first), "exit status %d",
			 WEXITSTATUS(status));
	}
}

static bool case_passes(const struct ktap_case *c, int number)
{
	const char *version = !c->families ? "" : ktap_family == AF_INET ?
			      "_v4" : "_v6";
	int status = 0;
	pid_t pid;

	memset(run.verdict, 0, sizeof(*run.verdict));
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		child_run(c);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		printf("not ok %d %s%s - cannot run: %s\n", number, c->name,
		       version, strerror(errno));
		return false;
	}
	judge_status(status);
	if (run.verdict->failures)
		printf("not ok %d %s%s - %s\n", number, c->name, version,
		       run.verdict->first);
	else
		printf("ok %d %s%s\n", number, c->name, version);
	fflush(stdout);
	return !run.verdict->failures;
}

static bool is_chosen(const struct ktap_case *c, int argc, char **argv)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++)
		if (strstr(c->name, argv[i]))
			return true;
	return false;
}

static int list_cases(const char *prog, const struct ktap_case *cases, int num)
{
	printf("Usage: %s [PART-OF-NAME ...]\n\n", prog);
	printf("Runs the cases whose names contain an argument; all by default.\n");
	printf("Example: %s %s\n\nCases:\n", prog, cases[0].name);
	for (int i = 0; i < num; i++)
		printf("  %s\n", cases[i].name);
	return 0;
}

int ktap_main(int argc, char **argv, const struct ktap_case *cases, int num)
{
	int ran = 0, passed = 0;

	if (argc > 1 && !strcmp(argv[1], "--help"))
		return list_cases(argv[0], cases, num);
	run.verdict = mmap(NULL, sizeof(*run.verdict), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.verdict == MAP_FAILED) {
		fprintf(stderr, "ktap: no memory\n");
		return 1;
	}
	printf("KTAP version 1\n");
	for (int i = 0; i < num; i++) {
		if (!is_chosen(&cases[i], argc, argv))
			continue;
		ktap_family = AF_INET;
		passed += case_passes(&cases[i], ++ran);
		if (!cases[i].families)
			continue;
		ktap_family = AF_INET6;
		passed += case_passes(&cases[i], ++ran);
	}
	printf("1..%d\n", ran);
	printf("# %d passed, %d failed, 0 skipped\n", passed, ran - passed);
	return ran == 0 || passed < ran;
}
