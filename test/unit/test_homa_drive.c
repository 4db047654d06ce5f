// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The program homa_drive as far as it goes without the module: UDP and TCP. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static char said[8192];

/* Run a shell command in which "@" stands for homa_drive. Return: its exit code. */
static int shell(const char *text)
{
	const char *program = getenv("HOMA_DRIVE"), *from;
	char command[2048], *to = command;
	size_t n;
	FILE *f;
	int rc;

	for (from = text; *from; from++) {
		if (*from == '@')
			to += sprintf(to, "%s", program ? program : "out/bin/homa_drive");
		else
			*to++ = *from;
	}
	strcpy(to, " 2>&1");
	f = popen(command, "r");
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = 0;
	rc = pclose(f);
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

/* Measure against a server that says when it is ready. */
static int rtt(const char *protocol, const char *family, const char *host, int size)
{
	int port = 11000 + (getpid() * 13 + size) % 9000;
	char text[1024];

	sprintf(text, "{ exec 3>&1; @ server --protocol %s %s --port %d & p=$!; echo $p >&3; } | {"
		" read p; read ready; @ rtt %s:%d --protocol %s --size %d --count 20; rc=$?;"
		" kill $p; exit $rc; }", protocol, family, port, host, port, protocol, size);
	return shell(text);
}

static void rtt__measures_udp_and_tcp(void)
{
	EXPECT_EQ(rtt("udp", "", "127.0.0.1", 100), 0);
	EXPECT(strstr(said, "udp 100 bytes: n 20 min "));
	EXPECT_EQ(rtt("udp", "", "127.0.0.1", 60000), 0);
	EXPECT_EQ(rtt("tcp", "", "127.0.0.1", 1), 0);
	EXPECT_EQ(rtt("tcp", "", "127.0.0.1", 1000000), 0);
	EXPECT(strstr(said, "tcp 1000000 bytes: n 20 min "));
	EXPECT_EQ(rtt("tcp", "--ipv6", "127.0.0.1", 1001), 0);
}

static void errors__are_one_line(void)
{
	static const char *const bad[] = {
		"@", "@ juggle", "@ rtt", "@ rtt 127.0.0.1", "@ rtt 127.0.0.1: --protocol udp",
		"@ rtt 127.0.0.1:9 --protocol avian", "@ rtt 127.0.0.1:9 --size 0",
		"@ rtt 127.0.0.1:9 --protocol udp --size 65508", "@ server extra",
		"@ rtt 127.0.0.1:1 --protocol tcp", "@ rtt not.an.address.invalid:1",
	};
	const char *newline;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(shell(bad[i]), 1);
		newline = strchr(said, '\n');
		EXPECT(newline && !newline[1]);
	}
	EXPECT_EQ(shell("@ --help"), 0);
	EXPECT(strstr(said, "Examples:"));
}

static const struct unit_case cases[] = {
	UNIT_CASE(rtt__measures_udp_and_tcp),
	UNIT_CASE(errors__are_one_line),
};

UNIT_MAIN(cases)
