/* A service that logs: lines of 200 bytes, each one write, at a steady rate. usage: log_fill SECONDS MB_A_SECOND */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE 200
#define TICKS 1000 /* a second */

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	static const char words[] = "INFO request served method=GET path=/api/v1/orders/ status=200 bytes=5120 remote=192.0.2.17 agent=\"Mozilla/5.0\" trace=9f2c7d ";
	double seconds = argc > 1 ? atof(argv[1]) : 1, rate = argc > 2 ? atof(argv[2]) : 50;
	long long begin = now(), lines = (long long)(seconds * rate * 1e6 / LINE), n = 0;
	char line[LINE + 1];

	while (n < lines) {
		long long due = (long long)((double)(now() - begin) / 1e9 * rate * 1e6 / LINE);
		for (; n < due && n < lines; n++) {
			int k = snprintf(line, sizeof(line), "2026-11-21T02:00:00.%09lldZ %s", n % 1000000000, words);
			memset(line + k, 'x', LINE - 1 - (size_t)k);
			line[LINE - 1] = '\n';
			if (write(1, line, LINE) != LINE)
				return 1;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 1000000000 / TICKS }, NULL);
	}
	return 0;
}
