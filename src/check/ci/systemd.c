#include "base/mem.h"
#include "base/path.h"
#include "check/ci/silence.h"

/* A systemd unit: does anybody hear of it when the service crashes? */

struct value {
	struct span text;
	uint32_t at, to; /* of the whole assignment */
};
struct service {
	struct lint_file *f;
	struct value ignored, success, error, output, restart;
	bool on_failure, oneshot;
};

static bool is_number_2(struct span word)
{
	return span_eq(word, S("2"));
}

static bool is_systems(struct span command)
{
	static const char *const folders[] = { "/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/" };

	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (span_starts(command, span_of(folders[i])))
			return true;
	return span_chr(command, '/') != 0; /* looked for in PATH */
}

/* Programs that systemd's own units start so: a login that ends with an error is none. */
static bool is_login(struct span command)
{
	struct span base = path_base(span_cut(&command, ' '));

	return span_ends(base, S("getty")) || span_starts(base, S("systemd-sulogin")) ||
	       span_starts(base, S("plymouth"));
}

static void assign(struct service *s, bool service, struct span key, const struct value *v)
{
	const struct {
		const char *key;
		struct value *value;
	} kept[] = { { "SuccessExitStatus", &s->success },
		     { "StandardError", &s->error },
		     { "StandardOutput", &s->output },
		     { "Restart", &s->restart } };

	if (!service) {
		s->on_failure |= span_eq(key, S("OnFailure")) && v->text.n;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (span_eq(key, span_of(kept[i].key)))
			*kept[i].value = *v;
	s->oneshot |= span_eq(key, S("Type")) && span_eq(v->text, S("oneshot"));
	if (!span_eq(key, S("ExecStart")))
		return;
	/* -, @, :, +, ! in any order before the program */
	struct span command = v->text;
	bool ignored = false;
	while (command.n && strchr("-@:+!|", *command.p)) {
		ignored |= *command.p == '-';
		command = span_from(command, 1);
	}
	if (ignored && !is_login(command) && !s->ignored.text.n) {
		s->ignored = *v;
		s->ignored.text = command;
	}
	size_t from, to;
	if (silence_find(command, &from, &to))
		lint_say(s->f, RULE_D03, v->at, v->to, (struct span){ command.p + from, to - from },
			 TR_SPAN("a panic's traceback goes nowhere", "panic 的调用栈无处可查"));
}

static void read_unit(struct service *s)
{
	struct span all = s->f->text;
	bool service = false;

	for (struct span rest = all; rest.n;) {
		struct span line = span_cut(&rest, '\n'), first = line;
		while (line.n && line.p[line.n - 1] == '\\' && rest.n) { /* goes on below */
			struct span more = span_cut(&rest, '\n');
			line = (struct span){ line.p, (size_t)(more.p + more.n - line.p) };
		}
		struct span plain = span_trim(line), key;
		if (!plain.n || *plain.p == '#' || *plain.p == ';') {
			/* A comment does not go on. */
			if (line.n > first.n)
				rest = (struct span){ first.p + first.n + 1,
						      (size_t)(all.p + all.n - first.p) - first.n - 1 };
			continue;
		}
		if (*plain.p == '[') {
			service = span_eq(plain, S("[Service]"));
			continue;
		}
		if (span_chr(plain, '=') == SPAN_NONE)
			continue;
		struct value v = { .at = (uint32_t)(plain.p - all.p),
				   .to = (uint32_t)(plain.p + plain.n - all.p) };
		key = span_trim(span_cut(&plain, '='));
		v.text = span_trim(plain);
		assign(s, service, key, &v);
	}
}

static bool to_nowhere(struct span v)
{
	return span_eq(v, S("null")) || span_eq(v, S("file:/dev/null")) || span_eq(v, S("append:/dev/null"));
}

void systemd_check(struct lint_file *f)
{
	struct service s = { .f = f };
	struct span words, word;

	read_unit(&s);
	/* A program of the system that runs once (pkill, mkdir) may find nothing to do. */
	if (s.ignored.text.n && !(s.oneshot && is_systems(s.ignored.text)))
		lint_say(f, RULE_D03, s.ignored.at, s.ignored.to, S("ExecStart=-"),
			 TR_SPAN("its status counts as success, whatever it is",
				 "无论退出状态是什么都算成功"));
	for (words = s.success.text; words.n;) {
		word = span_cut(&words, ' ');
		if (is_number_2(word))
			lint_say(f, RULE_D03, s.success.at, s.success.to, S("SuccessExitStatus=2"),
				 TR_SPAN("a Go program that panics ends with 2, and that counts as success",
					 "Go 程序 panic 时以 2 退出，这会被当作成功"));
	}
	/* Standard error goes where standard output goes, unless it is said. */
	const struct value *silent = to_nowhere(s.error.text)                       ? &s.error
				     : !s.error.text.n && to_nowhere(s.output.text) ? &s.output
										    : NULL;
	if (silent)
		lint_say(f, RULE_D03, silent->at, silent->to,
			 (struct span){ f->text.p + silent->at, silent->to - silent->at },
			 TR_SPAN("a panic's traceback goes nowhere", "panic 的调用栈无处可查"));
	if (s.restart.text.n && !span_eq(s.restart.text, S("no")) && !s.on_failure && !s.oneshot)
		lint_say_as(
			f, RULE_D03, SEV_NOTE, s.restart.at, s.restart.to,
			(struct span){ f->text.p + s.restart.at, s.restart.to - s.restart.at },
			TR_SPAN("without OnFailure= nobody hears of a service that crashes again and again",
				"没有 OnFailure=，服务反复崩溃也无人知晓"));
}
