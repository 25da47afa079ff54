/* parse/loglevel: the lines by which loggers end their program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "parse/loglevel.h"

static const struct {
	const char *line;
	enum loglevel level;
	const char *said;
} rows[] = {
	/* zap */
	{ "{\"level\":\"fatal\",\"ts\":1.5,\"caller\":\"a/main.go:4\",\"msg\":\"no port\",\"error\":\"in use\",\"stacktrace\":\"main.main\\n\\t/a.go:4\"}",
	  LEVEL_FATAL, "no port: in use" },
	{ "{\"L\":\"DPANIC\",\"M\":\"odd\"}", LEVEL_DPANIC, "odd" },
	{ "{\"level\":\"panic\",\"msg\":\"a \\\"b\\\"\"}", LEVEL_PANIC, "a \"b\"" },
	{ "2026-11-21T10:00:00.000Z\tFATAL\tapp/main.go:40\tno port\t{\"error\": \"in use\"}", LEVEL_FATAL,
	  "no port {\"error\": \"in use\"}" },
	{ "1.7e+09\tPANIC\tboom", LEVEL_PANIC, "boom" },
	{ "2026-11-21T10:00:00.000Z\tDPANIC\tsrv\tapp/main.go:40\todd", LEVEL_DPANIC, "odd" },
	/* zerolog */
	{ "{\"level\":\"fatal\",\"error\":\"in use\",\"time\":\"2026-11-21T10:00:00Z\",\"message\":\"no port\"}",
	  LEVEL_FATAL, "no port: in use" },
	{ "{\"level\":\"fatal\",\"error\":\"in use\"}", LEVEL_FATAL, "in use" },
	{ "10:00PM FTL no port error=\"in use\"", LEVEL_FATAL, "no port error=\"in use\"" },
	{ "2026-11-21T10:00:00Z FTL no port", LEVEL_FATAL, "no port" },
	{ "10:00PM PNC boom", LEVEL_PANIC, "boom" },
	/* logrus */
	{ "time=\"2026-11-21T10:00:00Z\" level=fatal msg=\"no \\\"port\\\"\" error=EADDRINUSE", LEVEL_FATAL,
	  "no \"port\": EADDRINUSE" },
	{ "level=panic msg=boom", LEVEL_PANIC, "boom" },
	{ "FATA[0012] no port                     id=1", LEVEL_FATAL, "no port                     id=1" },
	{ "{\"level\":\"fatal\",\"msg\":\"no port\",\"time\":\"2026-11-21T10:00:00Z\"}", LEVEL_FATAL,
	  "no port" },
	/* apex, charm */
	{ " FATAL[0000] no port                  ", LEVEL_FATAL, "no port" },
	{ "2026/11/21 10:00:00 FATA no port err=x", LEVEL_FATAL, "no port err=x" },
	/* klog, glog */
	{ "F1121 10:00:00.123456       1 main.go:12] no port", LEVEL_FATAL, "no port" },
	{ "F1121 10:00:00.123456 4711 a/main.go:12] ", LEVEL_FATAL, "" },
	/* none */
	{ "E1121 10:00:00.123456       1 main.go:12] no port", LEVEL_OTHER, "" },
	{ "F1121 10:00:00.123456       1 main.go] no port", LEVEL_OTHER, "" },
	{ "F1121 10:00", LEVEL_OTHER, "" },
	{ "{\"level\":\"error\",\"msg\":\"level=fatal\"}", LEVEL_OTHER, "" },
	{ "{\"msg\":\"x\",\"inner\":{\"level\":\"fatal\"}}", LEVEL_OTHER, "" },
	{ "{\"msg\":\"x\",\"tags\":[\"fatal\",\"level\"]}", LEVEL_OTHER, "" },
	{ "we saw level=fatal msg=x yesterday", LEVEL_OTHER, "" },
	{ "time=now level=info msg=\"level=fatal\"", LEVEL_OTHER, "" },
	{ "FATAL: the database system is starting up", LEVEL_OTHER, "" },
	{ "fatal error: all goroutines are asleep - deadlock!", LEVEL_OTHER, "" },
	{ "a\tFATAL\tb", LEVEL_OTHER, "" },
	{ "FATA[] x", LEVEL_OTHER, "" },
	{ "FATA[12", LEVEL_OTHER, "" },
	{ "level=fatal msg=\"cut", LEVEL_FATAL, "cut" },
	{ "level=fatal msg=\"cut\\", LEVEL_FATAL, "cut\\" },
	{ "{\"level\":\"fatal\",\"msg\":\"cut", LEVEL_FATAL, "" },
	{ "{", LEVEL_OTHER, "" },
	{ "", LEVEL_OTHER, "" },
	{ " ", LEVEL_OTHER, "" },
};

static void a_table_of_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf said = { 0 };
		size_t n = strlen(rows[i].line);
		char *line = malloc(n ? n : 1);
		assert_non_null(line);
		memcpy(line, rows[i].line, n);
		enum loglevel l = loglevel_read((struct span){ line, n }, &said);
		if (l != rows[i].level || strcmp(buf_str(&said), rows[i].said) != 0)
			fail_msg("%s: %s, %s", rows[i].line, loglevel_word(l), buf_str(&said));
		buf_free(&said);
		free(line);
	}
}

/* Every head of every line: nothing behind its end is read. */
static void lines_that_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t n = 0; n < strlen(rows[i].line); n++) {
			struct buf said = { 0 };
			char *line = malloc(n ? n : 1);
			assert_non_null(line);
			memcpy(line, rows[i].line, n);
			loglevel_read((struct span){ line, n }, &said);
			buf_free(&said);
			free(line);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_of_lines),
		cmocka_unit_test(lines_that_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
