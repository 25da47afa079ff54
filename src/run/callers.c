#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "run/shim.h"

/* No allocation here: the shim has a thousandth of a second for all that it does. */

#define STEPS_MAX 64

static bool proc_path(int pid, const char *name, char ret[64])
{
	int n = snprintf(ret, 64, "/proc/%d/%s", pid, name);

	return n > 0 && n < 64;
}

long callers_slurp(int pid, const char *name, char *buf, size_t size)
{
	char path[64];
	size_t len = 0;
	ssize_t n = 0;

	if (!proc_path(pid, name, path))
		return -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while (len < size - 1 && ((n = read(fd, buf + len, size - 1 - len)) > 0 || (n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	close(fd);
	buf[len] = '\0';
	return n < 0 ? -1 : (long)len;
}

int callers_parent(int pid)
{
	char text[512];
	long n = callers_slurp(pid, "stat", text, sizeof(text));
	const char *p = n > 0 ? memrchr(text, ')', (size_t)n) : NULL; /* the name before it may hold anything */

	struct span rest = span_of(p && p[1] == ' ' && p[2] && p[3] == ' ' ? p + 4 : NULL);
	int64_t parent;
	return span_int(span_cut(&rest, ' '), &parent) && parent > 0 && parent < INT_MAX ? (int)parent : 0;
}

bool callers_exe(int pid, char ret[PATH_MAX])
{
	static const char gone[] = " (deleted)";
	char path[64];

	if (!proc_path(pid, "exe", path))
		return false;
	ssize_t n = readlink(path, ret, PATH_MAX - 1);
	if (n < 0)
		return false;
	if (span_ends((struct span){ ret, (size_t)n }, span_of(gone)))
		n -= (ssize_t)sizeof(gone) - 1;
	ret[n] = '\0';
	return true;
}

bool callers_same_program(int pid, const struct stat *self)
{
	struct stat st;
	char path[64];

	return proc_path(pid, "exe", path) && stat(path, &st) == 0 && st.st_dev == self->st_dev && st.st_ino == self->st_ino;
}

/* The words of a /proc/PID/cmdline. */
struct words {
	const char *p, *end;
};

static const char *word_next(struct words *w)
{
	const char *at = w->p;

	if (at >= w->end)
		return NULL;
	w->p += strlen(at) + 1;
	return at;
}

static bool is_one_of(struct span name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (span_eq(name, span_of(names[i])))
			return true;
	}
	return false;
}

static bool is_shell(struct span name)
{
	static const char *const shells[] = { "sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "yash", "busybox" };

	if (name.n && name.p[0] == '-') /* a login shell */
		name = span_from(name, 1);
	return is_one_of(name, shells, ARRAY_LEN(shells));
}

/* `sh -c …`, `bash -eo pipefail -c …`: it says less than what called it. */
static bool is_shell_c(struct words w)
{
	const char *word = word_next(&w);

	if (!word || !is_shell(path_base(span_of(word))))
		return false;
	while ((word = word_next(&w))) {
		if (is_shell(span_of(word))) /* busybox sh */
			continue;
		if (word[0] != '-' && word[0] != '+')
			return false;
		if (word[1] == '-')
			continue;
		if (strchr(word, 'c'))
			return true;
		if (strchr(word, 'o'))
			word_next(&w);
	}
	return false;
}

/* Flags of a test binary; but a shell or a go that has them in its own arguments is none. */
static bool is_test_binary(struct span exe, struct words w)
{
	static const char *const never[] = {
		"make", "gmake", "env", "node", "go", "gotestsum", "xargs", "timeout", "tocsin", "perl", "ruby", "task", "just",
	};
	const char *word = word_next(&w);
	struct span name = path_base(exe);

	if (span_ends(name, S(".test")) || (word && span_ends(path_base(span_of(word)), S(".test"))))
		return true;
	if (is_shell(name) || is_one_of(name, never, ARRAY_LEN(never)) || span_starts(name, S("python")))
		return false;
	while ((word = word_next(&w))) {
		if (!strncmp(word, "-test.", 6) || !strncmp(word, "--test.", 7))
			return true;
	}
	return false;
}

static void join(struct words w, char *ret, size_t size)
{
	const char *word;
	size_t n = 0;

	while ((word = word_next(&w)) && n + 4 < size) {
		bool quoted = !*word || word[strcspn(word, " \n\t")];
		if (n)
			ret[n++] = ' ';
		if (quoted)
			ret[n++] = '\'';
		for (; *word && n + 2 < size; word++)
			ret[n++] = (unsigned char)*word < ' ' || *word == 0x7f ? ' ' : *word;
		if (quoted)
			ret[n++] = '\'';
	}
	ret[n] = '\0';
}

/* "make ci -> sh -c 'go test | tee log'": the text that make gave its shell says what swallowed the status. */
static void add_inline(char *script, size_t size, const char *text)
{
	size_t n = strlen(script), dir = strcspn(text, " ");

	while (dir && text[dir - 1] != '/')
		dir--;
	if (text[0] && n + 8 < size)
		snprintf(script + n, size - n, "%s%s", n ? " -> " : "", text + dir);
}

void callers_read(int pid, const int *runs, size_t n_runs, struct callers *ret)
{
	static char text[4096];
	char exe[PATH_MAX], inline_script[sizeof(ret->script)] = "";
	size_t met = 0;

	ret->script[0] = '\0';
	ret->test_at = INT_MAX;
	for (size_t i = 0; i < SHIM_LEVELS; i++)
		ret->run_at[i] = INT_MAX;
	pid = callers_parent(pid);
	for (int step = 0; pid > 0 && step < STEPS_MAX; step++, pid = callers_parent(pid)) {
		size_t before = met;
		for (size_t i = 0; i < n_runs; i++) {
			if (pid == runs[i] && ret->run_at[i] == INT_MAX) {
				ret->run_at[i] = step;
				met++;
			}
		}
		if (met == n_runs && n_runs)
			break;
		long n = callers_slurp(pid, "cmdline", text, sizeof(text));
		if (n <= 0 || !callers_exe(pid, exe) || met > before)
			continue;
		struct words w = { text, text + n };
		if (ret->test_at == INT_MAX && is_test_binary(span_of(exe), w))
			ret->test_at = step;
		if (ret->script[0] || met)
			continue;
		if (!is_shell_c(w))
			join(w, ret->script, sizeof(ret->script));
		else if (!inline_script[0])
			join(w, inline_script, sizeof(inline_script));
	}
	add_inline(ret->script, sizeof(ret->script), inline_script);
}
