#include "base/mem.h"
#include "base/path.h"
#include "check/ci/silence.h"

/* A crontab: a job whose standard error is thrown away crashes unheard. */

static size_t skip_blanks(struct span s, size_t i)
{
	while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
		i++;
	return i;
}

/* `> /dev/null` behind command[i], where the `>` stands: behind it; 0: something else. */
static size_t to_null(struct span command, size_t i)
{
	i += i < command.n && command.p[i] == '>';
	i += i < command.n && command.p[i] == '>';
	i = skip_blanks(command, i);
	return span_starts(span_from(command, i), S("/dev/null")) ? i + 9 : 0;
}

bool silence_find(struct span command, size_t *from, size_t *to)
{
	bool output = false; /* standard output goes nowhere: 2>&1 behind it does too */
	size_t output_at = 0;

	for (size_t i = 0; i < command.n; i++) {
		char before = i ? command.p[i - 1] : ' ';
		if (command.p[i] == '|' || command.p[i] == ';') {
			output = false;
		} else if (command.p[i] != '>') {
			continue;
		} else if (span_starts(span_from(command, i), S(">&1")) && before == '2' && output) {
			*from = output_at;
			*to = i + 3;
			return true;
		} else if ((*to = to_null(command, i)) != 0 && (before == '2' || before == '&')) {
			*from = i - 1;
			return true;
		} else if (*to != 0) {
			output = true;
			output_at = i - (before == '1');
		}
	}
	return false;
}

/* The command of a line: behind five fields of time or @daily, and in a system's table behind the user. */
static struct span command_of(struct span line, bool system)
{
	int fields = *line.p == '@' ? 1 : 5;
	size_t i = 0;

	for (int n = 0; n < fields + system; n++) {
		size_t from = i;
		while (i < line.n && line.p[i] != ' ' && line.p[i] != '\t')
			i++;
		if (n < fields && fields == 5)
			for (size_t k = from; k < i; k++)
				if (!strchr("0123456789*/,-~?LW#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKMNOPQRSTUVXYZ",
					    line.p[k]))
					return (struct span){ 0 };
		i = skip_blanks(line, i);
	}
	return span_from(line, i);
}

void cron_check(struct lint_file *f)
{
	struct span all = f->text, path = span_of(f->path);
	bool system = span_eq(path_base(path_dir(path)), S("cron.d"));

	for (struct span rest = all; rest.n;) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		size_t from, to;
		if (!line.n || *line.p == '#' || !strchr("0123456789*@", *line.p))
			continue;
		struct span command = command_of(line, system);
		if (!command.n || !silence_find(command, &from, &to))
			continue;
		/* Who looks at the status behind it hears of a failure. */
		struct span after = span_from(command, to);
		if (span_find(after, S("||")) != SPAN_NONE || span_find(after, S("$?")) != SPAN_NONE)
			continue;
		uint32_t at = (uint32_t)(command.p + from - all.p);
		lint_say(f, RULE_D04, at, at + (uint32_t)(to - from),
			 (struct span){ command.p + from, to - from });
	}
}
