/*
 * What a process of the same user can send to a run's socket: packets of nested go commands. The input is a row of
 * packets: length of the text, kind, flags, number of words (0: the true one), text.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/nested.h"
#include "run/shim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* The socket's name stands in the environment that a child gets. */
static int peer(const struct nested_server *s)
{
	struct span run = span_of(nested_env(s)[0]), name;

	check(span_skip(&run, S("TOCSIN_RUN=")));
	name = span_cut(&run, ',');
	int fd = shim_connect(name.p, name.n);
	check(fd >= 0);
	return fd;
}

/* The shim's link of the user must not point to a fuzzer. */
static void own_cache(void)
{
	static char dir[64];

	if (dir[0])
		return;
	snprintf(dir, sizeof(dir), "/tmp/tocsin-fuzz-%u", (unsigned)getuid());
	check((mkdir(dir, 0700) == 0 || errno == EEXIST) && setenv("XDG_CACHE_HOME", dir, 1) == 0);
}

static void send_one(int fd, struct span *in)
{
	struct {
		struct shim_msg m;
		char text[256];
	} packet = { .m = { .magic = SHIM_MAGIC, .pid = getpid(), .code = 1 } };
	struct span head = span_head(*in, 4);

	*in = span_from(*in, 4);
	struct span text = span_head(*in, (unsigned char)head.p[0]);
	*in = span_from(*in, text.n);
	packet.m.kind = (uint8_t)head.p[1];
	packet.m.flags = (uint8_t)head.p[2];
	packet.m.words = (uint8_t)head.p[3];
	for (size_t i = 0; i < text.n; i++) {
		packet.text[i] = text.p[i];
		if (!head.p[3])
			packet.m.words = (uint16_t)(packet.m.words + !text.p[i]);
	}
	check(send(fd, &packet, sizeof(packet.m) + text.n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno == EAGAIN || errno == EPIPE);
}

static void on_panics(void *ctx, const char *record, const char *version, const char *text)
{
	*(size_t *)ctx += strlen(record) + strlen(version) + strlen(text); /* all three end */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const allow[] = { "go vet *", NULL };
	struct span in = { (const char *)data, size };
	struct report r = { 0 };
	struct nested_server *s;
	struct loop *loop;
	struct err e;
	size_t heard = 0;
	int fd = -1;

	own_cache();
	unsetenv("TOCSIN_RUN");
	check(loop_new(&loop, &e) == 0 && nested_open(loop, allow, &s, &e) == 0);
	nested_panics(s, on_panics, &heard);
	nested_root(s, 1);
	for (size_t n = 0; in.n >= 4 && n < 64; n++) {
		if (fd < 0)
			fd = peer(s);
		bool last = (in.p[2] & 0x80) != 0; /* of this connection */
		send_one(fd, &in);
		check(loop_step(loop, &e) == 0);
		if (last) {
			fd_close(fd);
			fd = -1;
		}
	}
	fd_close(fd);
	check(nested_take(s, &r, &e) == 0);
	for (size_t i = 0; i < r.n_commands; i++)
		check(r.commands[i].argv.n > 0);
	report_free(&r);
	nested_close(s);
	loop_free(loop);
	return 0;
}
