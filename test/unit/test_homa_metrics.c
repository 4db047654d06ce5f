// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The program homa_metrics, on readings from files. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static char said[8192];

/* A reading of two cores, @n times as large. */
static void write_reading(const char *name, unsigned int ms, int n)
{
	FILE *f = fopen(name, "w");
	int core;

	fprintf(f, "%-30s %20u Time when these metrics were read\n", "time_cycles", ms * 2000000);
	fprintf(f, "%-30s %20u Rate\n", "cpu_khz", 2000000);
	for (core = 0; core < 2; core++) {
		fprintf(f, "%-30s %20d CPU that counted what follows\n", "core", core);
		fprintf(f, "%-30s %20d DATA packets sent\n", "packets_sent_DATA", n * (core + 1));
		fprintf(f, "%-30s %20d Time sending\n", "send_cycles", n * 1000);
		fprintf(f, "%-30s %20d Never moves\n", "constant", 7);
	}
	fclose(f);
}

static int metrics(const char *args)
{
	const char *program = getenv("HOMA_METRICS");
	char command[512];
	size_t n;
	FILE *f;
	int rc;

	snprintf(command, sizeof(command), "%s %s 2>&1",
		 program ? program : "out/bin/homa_metrics", args);
	f = popen(command, "r");
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = 0;
	rc = pclose(f);
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

static void changes__are_summed_over_cores(void)
{
	char name[2][64], args[256];

	sprintf(name[0], "/tmp/test_homa_metrics.%d", getpid());
	sprintf(name[1], "/tmp/test_homa_metrics.%d.2", getpid());
	write_reading(name[0], 100, 1000);
	write_reading(name[1], 200, 3000);
	sprintf(args, "%s %s", name[0], name[1]);
	EXPECT_EQ(metrics(args), 0);
	EXPECT(strstr(said, "0.100000 seconds"));
	/* 3 * 2000 packets in 0.1 s; 2 * 2,000,000 of 200,000,000 cycles. */
	EXPECT(strstr(said, "packets_sent_DATA                           6000   60.00 K/s DATA packets sent"));
	EXPECT(strstr(said, "send_cycles                              4000000    2.00 %   Time sending"));
	EXPECT(!strstr(said, "constant"));
	sprintf(args, "--all %s %s", name[0], name[1]);
	EXPECT_EQ(metrics(args), 0);
	EXPECT(strstr(said, "constant                                       0"));
	sprintf(args, "%s %s", name[1], name[0]);
	EXPECT_EQ(metrics(args), 1);
	unlink(name[0]);
	unlink(name[1]);
}

static void errors__are_one_line(void)
{
	static const char *const bad[] = {
		"/nonexistent /nonexistent", "/etc/passwd /etc/passwd", "a b c", "--interval -1",
		"--interval 1 file", "/dev/null /dev/null",
	};
	const char *newline;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(metrics(bad[i]), 1);
		newline = strchr(said, '\n');
		EXPECT(newline && !newline[1]);
	}
	EXPECT_EQ(metrics("--help"), 0);
	EXPECT(strstr(said, "Examples:"));
}

static const struct unit_case cases[] = {
	UNIT_CASE(changes__are_summed_over_cores),
	UNIT_CASE(errors__are_one_line),
};

UNIT_MAIN(cases)
