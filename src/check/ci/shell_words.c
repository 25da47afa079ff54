#include "base/mem.h"
#include "base/path.h"
#include "check/ci/shell_own.h"

/* What the words of a command come to: a go command behind env, sudo or docker run, a make target, a script of the tree. */

#define WRAPPERS_MAX 12 /* before one another */

/* A command that runs another: options that take a value, and how many words of its own stand before the other's. */
struct wrapper {
	const char *name, *valued;
	unsigned own;
	bool dashes; /* the other begins behind `--` */
	bool elsewhere;
};
static const struct wrapper wrappers[] = {
	{ "env", " -u -C -S --unset --chdir ", 0, false, false },
	{ "time", " -f -o ", 0, false, false },
	{ "timeout", " -k -s --kill-after --signal ", 1, false, false },
	{ "gtimeout", " -k -s --kill-after --signal ", 1, false, false },
	{ "nice", " -n --adjustment ", 0, false, false },
	{ "ionice", " -c -n -p ", 0, false, false },
	{ "sudo", " -u -g -C -h -p -r -t --user --group ", 0, false, false },
	{ "doas", " -u ", 0, false, false },
	{ "gosu", "", 1, false, false },
	{ "su-exec", "", 1, false, false },
	{ "xargs", " -n -P -I -L -d -a -s -E --max-args --max-procs --delimiter --arg-file ", 0, false,
	  false },
	{ "nohup", "", 0, false, false },
	{ "command", "", 0, false, false },
	{ "eval", "", 0, false, false },
	{ "exec", " -a ", 0, false, false },
	{ "stdbuf", " -i -o -e ", 0, false, false },
	{ "setsid", "", 0, false, false },
	{ "chronic", "", 0, false, false },
	{ "unbuffer", "", 0, false, false },
	{ "caffeinate", "", 0, false, false },
	{ "xvfb-run", " -n -s -e -f -p -w ", 0, false, false },
	{ "taskset", "", 1, false, false },
	{ "flock", " -w -E ", 1, false, false },
	{ "chroot", "", 1, false, true },
	{ "ssh", " -p -i -o -l -F -J -L -R -D -b -c -E -m -S -W ", 1, false, true },
	{ "kubectl", "", 0, true, true },
	{ "mise", "", 0, true, false },
	{ "direnv", "", 2, false, false },
	{ "op", "", 0, true, false },
	{ "doppler", "", 0, true, false },
	{ "aws-vault", "", 0, true, false },
	{ "dotenv", "", 0, true, false },
	{ "devbox", "", 0, true, false },
};
static const char docker_valued[] =
	" -v -e -w -u -p -m -l -h -a --volume --env --workdir --user --name --network --net --entrypoint --platform --publish --mount"
	" --env-file --label --hostname --cpus --memory --ulimit --shm-size --add-host --tmpfs --cap-add --cap-drop --security-opt --gpus"
	" --volumes-from --pull --dns --device --restart --log-driver --log-opt --link --isolation --ipc --pid --runtime --group-add --index ";
static const char *const shells[] = { "bash", "sh", "dash", "ash", "ksh", "zsh" };
static const char *const go_words[] = { "test", "vet",     "build", "run", "generate",
					"mod",  "install", "tool",  "fix", "work" };
static const char *const tools[] = { "golangci-lint", "staticcheck", "govulncheck", "gotestsum", "ginkgo",
				     "gosec",         "revive",      "errcheck",    "nilaway",   "gocyclo" };
static const char *const formatters[] = { "gofmt", "goimports", "gofumpt", "gci" };
static const char *const asking[] = { "version", "--version", "-version", "help",    "--help",    "-h",
				      "-V",      "cache",     "config",   "linters", "completion" };

#define LISTED(word, list) sh_in(word, list, ARRAY_LEN(list))

bool sh_in(struct span word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(word, span_of(list[i])))
			return true;
	return false;
}

bool sh_word_is(const struct sh *s, size_t at, const char *const *words, size_t n)
{
	return at < s->n_words && sh_in(s->words[at].plain, words, n);
}

bool sh_has_word(const struct sh *s, size_t from, struct span word)
{
	for (size_t i = from; i < s->n_words; i++)
		if (span_eq(s->words[i].plain, word))
			return true;
	return false;
}

struct sh *sh_function(const struct sh_walk *k, struct span name)
{
	return map_get(&k->by_name, name);
}

bool sh_stands(struct sh_walk *k, const char *word, uint32_t from)
{
	size_t i = 0, last = 0;

	while (i < k->n_found && k->found[i].word != word)
		i++;
	if (i < k->n_found)
		return k->found[i].last > from;
	for (size_t at = 0, n; (n = span_find(span_from(k->text, at), span_of(word))) != SPAN_NONE;
	     at += n + 1)
		last = at + n + 1;
	if (i < ARRAY_LEN(k->found)) {
		k->found[i].word = word;
		k->found[i].last = last;
		k->n_found++;
	}
	return last > from;
}

/* ---- paths and units ---- */

struct span sh_path(struct sh_walk *k, struct span dir, struct span path)
{
	struct span parts[64], unknown = S("*");
	size_t n = 0;

	if (span_eq(dir, unknown) || span_starts(path, S("/")) || span_starts(path, S("~")) ||
	    span_chr(path, '$') != SPAN_NONE || span_chr(path, '`') != SPAN_NONE)
		return unknown;
	for (int both = 0; both < 2; both++) {
		struct span rest = both ? path : dir;
		while (rest.n) {
			struct span part = span_cut(&rest, '/');
			if (!part.n || span_eq(part, S(".")))
				continue;
			if (span_eq(part, S(".."))) {
				if (n-- == 0)
					return unknown;
			} else if (n == ARRAY_LEN(parts)) {
				return unknown;
			} else {
				parts[n++] = part;
			}
		}
	}
	char *out = arena_alloc(k->f->scratch, dir.n + path.n + 2);
	size_t len = 0;
	if (!out) {
		k->f->bad = true;
		return unknown;
	}
	for (size_t i = 0; i < n; i++) {
		if (i)
			out[len++] = '/';
		memcpy(out + len, parts[i].p, parts[i].n);
		len += parts[i].n;
	}
	return (struct span){ out, len };
}

void sh_add_unit(struct sh_walk *k, struct span unit, uint32_t from, uint32_t to)
{
	struct shell_told *t = k->told;

	if (k->how->unit.n)
		lint_fact(k->f, FACT_RUNS, shell_in_file(k->how, from), shell_in_file(k->how, to),
			  k->how->unit, unit, S(""));
	for (size_t i = 0; i < t->n_units; i++)
		if (span_eq(t->units[i], unit))
			return;
	struct span *more = arena_alloc(k->f->scratch, (t->n_units + 1) * sizeof(*more));
	if (!more) {
		k->f->bad = true;
		return;
	}
	if (t->n_units)
		memcpy(more, t->units, t->n_units * sizeof(*more));
	more[t->n_units++] = unit;
	t->units = more;
}

static struct span unit_text(struct sh_walk *k, const char *kind, struct span dir, struct span name)
{
	return lint_text(k->f, "%s:%.*s:%.*s", kind, SPAN_ARG(dir), SPAN_ARG(name));
}

/* make -C DIR TARGET…: several targets are a unit of their own that leads to each. */
static void does_make(struct sh_walk *k, const struct sh *c, const struct sh_state *s, bool task,
		      struct sh_does *ret)
{
	const char *kind = task ? "task" : "make";
	struct span dir = s->cwd, name = { 0 };
	size_t i = ret->at + 1;

	for (; i < c->n_words; i++) {
		struct span w = c->words[i].plain;
		bool folder = task ? SH_IN(w, "-d", "--dir") : SH_IN(w, "-C", "--directory");
		bool valued = folder || (task ? SH_IN(w, "-t", "--taskfile", "-o")
					      : SH_IN(w, "-f", "-o", "-W", "-I", "--file"));
		if (task && span_eq(w, S("--")))
			break;
		if (folder)
			dir = sh_path(k, dir, sh_word(c, i + 1));
		else if (span_skip(&w, S("-C")) && w.n)
			dir = sh_path(k, dir, w);
		i += valued;
		if (valued || span_starts(w, S("-")) || span_chr(w, '=') != SPAN_NONE)
			continue;
		name = name.p ? lint_text(k->f, "%.*s %.*s", SPAN_ARG(name), SPAN_ARG(w)) : w;
	}
	if (span_eq(dir, S("*")) || ret->elsewhere)
		return;
	ret->what = DOES_UNIT;
	ret->unit = unit_text(k, kind, dir, name);
	for (struct span rest = name; span_chr(name, ' ') != SPAN_NONE && rest.n;)
		lint_fact(k->f, FACT_RUNS, 0, 0, ret->unit, unit_text(k, kind, dir, span_cut(&rest, ' ')),
			  S(""));
}

/* ./script.sh, "$(dirname "$0")/script.sh". */
static bool does_script(struct sh_walk *k, const struct sh_word *w, const struct sh_state *s,
			struct sh_does *ret)
{
	static const char *const here[] = { "$(dirname $0)/", "${0%/*}/", "$(dirname ${BASH_SOURCE[0]})/",
					    "$(dirname $BASH_SOURCE)/" };
	struct span path = w->plain, dir = s->cwd, own = path_dir(span_of(k->f->path));

	for (size_t i = 0; i < ARRAY_LEN(here) && k->how->place == SHELL_FILE; i++)
		if (span_skip(&path, span_of(here[i])))
			dir = own;
	if (ret->elsewhere ||
	    (span_chr(path, '/') == SPAN_NONE && !span_ends(path, S(".sh")) && !span_ends(path, S(".bash"))))
		return false;
	path = sh_path(k, dir, path);
	if (!path.n || span_eq(path, S("*")))
		return false;
	ret->what = DOES_UNIT;
	ret->unit = lint_text(k->f, "script:%.*s", SPAN_ARG(path));
	return true;
}

/* ---- shells inside ---- */

/* A script within the script; of one that is expanded first, escapes become blanks, so that every byte stays where it is. */
static bool inner_script(struct sh_walk *k, struct span text, uint32_t from, bool literal,
			 struct sh_does *ret)
{
	struct span copy = arena_span(k->f->scratch, text);

	if (!copy.p) {
		k->f->bad = true;
		return false;
	}
	for (size_t i = 0; i + 1 < copy.n && !literal; i++)
		if (copy.p[i] == '\\' && strchr("\"$`\\", copy.p[i + 1]))
			((char *)copy.p)[i] = ' ';
	ret->inner = copy;
	ret->inner_from = from;
	ret->what = DOES_NESTED;
	return true;
}

/* The text of one quoted word. */
static bool inner_text(struct sh_walk *k, const struct sh_word *w, struct sh_does *ret)
{
	struct span raw = w->raw;
	char quote = raw.n >= 2 ? raw.p[0] : 0;

	if ((quote != '\'' && quote != '"') || raw.p[raw.n - 1] != quote)
		return false;
	return inner_script(k, (struct span){ raw.p + 1, raw.n - 2 }, w->from + 1, quote == '\'', ret);
}

/* echo 'SCRIPT' | sh, cat <<EOF | sh */
static bool fed_by(struct sh_walk *k, const struct sh *c, struct sh_does *ret)
{
	if (c->kind == SH_COMMAND && SH_IN(sh_word(c, 0), "echo", "printf") && c->n_words == 2)
		return inner_text(k, &c->words[1], ret);
	if (c->kind != SH_COMMAND || !span_eq(sh_word(c, 0), S("cat")) || c->n_words > 1 || !c->fed.p)
		return false;
	return inner_script(k, c->fed, c->fed_at, c->fed_literal, ret);
}

/* What its shell runs before the script is read is not the script's: `$(…)` of a here document that is expanded. */
static void mask_expanded(struct sh_walk *k, const struct sh *c, const struct sh_does *does)
{
	for (const struct sh *sub = c->substs; sub && !c->fed_literal; sub = sub->next)
		for (uint32_t at = sub->from; at < sub->to; at++)
			if (at >= does->inner_from && at - does->inner_from < does->inner.n)
				((char *)(uintptr_t)does->inner.p)[at - does->inner_from] = '_';
}

#define PIPED_MAX 100 /* parts of a pipe in which what feeds a shell is looked for */

void sh_does_fed(struct sh_walk *k, const struct sh *c, const struct sh_at *at, struct sh_does *ret)
{
	const struct sh *from = c;

	for (const struct sh *node = c; at; node = at->node, at = at->up) {
		if (node->fed.p) {
			inner_script(k, node->fed, node->fed_at, node->fed_literal, ret);
			from = node;
			break;
		}
		if (at->role == ROLE_PIPED || at->role == ROLE_PIPE_END) {
			from = at->node->kids;
			for (int i = 0; from && from->next != node;
			     i++) /* a pipe may have any number of parts */
				from = i < PIPED_MAX ? from->next : NULL;
			if (from)
				fed_by(k, from, ret);
			break;
		}
		/* What stands before it in the script may have read it. */
		if (at->role != ROLE_NESTED && at->role != ROLE_GROUP && at->role != ROLE_SUBSHELL &&
		    !(at->role == ROLE_STATEMENT && at->node->kids == node))
			break;
	}
	if (ret->inner.p && from)
		mask_expanded(k, from, ret);
}

static void does_shell(struct sh_walk *k, const struct sh *c, const struct sh_state *s, struct sh_does *ret)
{
	bool text = false, stop = false, input = false;
	size_t i = ret->at + 1;

	ret->inner_shell = span_ends(c->words[ret->at].plain, S("bash")) ? SHELL_BASH : SHELL_SH;
	for (; i < c->n_words && !stop; i++) {
		struct span w = c->words[i].plain;
		if (w.n < 2 || (w.p[0] != '-' && w.p[0] != '+') || span_starts(w, S("--")) ||
		    c->words[i].dynamic) {
			stop = !span_starts(w, S("--"));
			i -= stop;
			continue;
		}
		enum shell_flag on = w.p[0] == '-' ? SHELL_ON : SHELL_OFF;
		text |= span_chr(w, 'c') != SPAN_NONE;
		input |= span_chr(w, 's') != SPAN_NONE;
		if (span_chr(w, 'e') != SPAN_NONE)
			ret->inner_errexit = on;
		if (span_chr(w, 'x') != SPAN_NONE)
			ret->inner_xtrace = on;
		if (w.p[w.n - 1] == 'o') {
			if (span_eq(sh_word(c, i + 1), S("pipefail")))
				ret->inner_pipefail = on;
			if (span_eq(sh_word(c, i + 1), S("errexit")))
				ret->inner_errexit = on;
			i++;
		}
	}
	ret->reads = !text && (input || i >= c->n_words || SH_IN(sh_word(c, i), "-", "/dev/stdin"));
	if (i >= c->n_words || ret->reads)
		return;
	if (text)
		inner_text(k, &c->words[i], ret);
	else
		does_script(k, &c->words[i], s, ret);
}

/* su app -c 'SCRIPT': a shell of its own, as bash -c. Without a script it reads one. */
static void does_su(struct sh_walk *k, const struct sh *c, struct sh_does *ret)
{
	for (size_t i = ret->at; i + 1 < c->n_words; i++)
		if (SH_IN(sh_word(c, i), "-c", "--command", "-lc") && inner_text(k, &c->words[i + 1], ret))
			return;
	ret->reads = !span_eq(sh_word(c, ret->at), S("-c"));
}

/* ---- wrappers ---- */

static bool is_assignment(struct span w)
{
	size_t eq = span_chr(w, '=');

	return eq != SPAN_NONE && eq && w.p[0] != '-' && span_chr(span_head(w, eq), '/') == SPAN_NONE;
}

static size_t skip_options(const struct sh *c, size_t i, const char *valued)
{
	for (; i < c->n_words; i++) {
		struct span w = c->words[i].plain;
		char key[40];
		if (span_eq(w, S("--")))
			return i + 1;
		if (!span_starts(w, S("-")) || w.n < 2)
			return i;
		key[0] = ' ';
		if (w.n < sizeof(key) - 2) {
			memcpy(key + 1, w.p, w.n);
			memcpy(key + 1 + w.n, " ", 2);
			i += strstr(valued, key) != NULL;
		}
	}
	return i;
}

static size_t skip_docker(const struct sh *c, size_t i)
{
	static const char *const runs[] = { "run", "exec" };

	i++;
	if (span_eq(sh_word(c, i), S("container")))
		i++;
	if (span_eq(sh_word(c, i), S("compose")))
		i++;
	i = skip_options(c, i, " -f --file -p --project-name --profile --env-file ");
	if (!sh_word_is(c, i, runs, ARRAY_LEN(runs)))
		return c->n_words;
	return skip_options(c, i + 1, docker_valued) + 1;
}

size_t sh_docker_image(const struct sh *c, size_t *at)
{
	for (size_t i = 0; i < c->n_words && i < 4; i++) {
		struct span name = path_base(sh_word(c, i));
		size_t run = i + 1 + span_eq(sh_word(c, i + 1), S("container"));
		if (!span_eq(name, S("docker")) && !span_eq(name, S("podman")) &&
		    !span_eq(name, S("nerdctl")))
			continue;
		if (!span_eq(sh_word(c, run), S("run")))
			return 0;
		*at = run + 1;
		size_t image = skip_options(c, run + 1, docker_valued);
		return image < c->n_words ? image : 0;
	}
	return 0;
}

/* The word behind a wrapper's own; `at` when it is none. */
static size_t unwrap(const struct sh *c, size_t at, struct sh_does *ret)
{
	static const char *const dockers[] = { "docker", "podman", "nerdctl", "docker-compose" };
	struct span name = path_base(sh_word(c, at));

	if (LISTED(name, dockers)) {
		ret->elsewhere = true;
		return skip_docker(c, at);
	}
	if (span_eq(name, S("tocsin")) &&
	    (span_eq(sh_word(c, at + 1), S("run")) || span_eq(sh_word(c, at + 1), S("ci")))) {
		ret->guarded = true;
		while (at < c->n_words && !span_eq(sh_word(c, at), S("--")))
			at++;
		return at + 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++) {
		const struct wrapper *w = &wrappers[i];
		if (!span_eq(name, span_of(w->name)))
			continue;
		/* command -v asks where a program is. */
		if (span_eq(name, S("command")) &&
		    (span_eq(sh_word(c, at + 1), S("-v")) || span_eq(sh_word(c, at + 1), S("-V"))))
			return at;
		ret->elsewhere |= w->elsewhere;
		ret->reads = SH_IN(name, "ssh", "chroot", "sudo"); /* if no command stands behind it */
		ret->xargs |= span_eq(name, S("xargs"));
		if (w->dashes) {
			for (at++; at < c->n_words && !span_eq(sh_word(c, at), S("--"));)
				at++;
			return at + 1;
		}
		at = skip_options(c, at + 1, w->valued) + w->own;
		while (at < c->n_words && is_assignment(sh_word(c, at)))
			at++;
		return at;
	}
	return at;
}

/* find … -exec COMMAND … \; */
static size_t unwrap_find(const struct sh *c, size_t at, struct sh_does *ret)
{
	static const char *const execs[] = { "-exec", "-execdir", "-ok" };

	if (!span_eq(path_base(sh_word(c, at)), S("find")))
		return at;
	for (size_t i = at + 1; i < c->n_words; i++) {
		if (!sh_word_is(c, i, execs, ARRAY_LEN(execs)))
			continue;
		ret->each = !span_eq(sh_word(c, c->n_words - 1), S("+"));
		return i + 1;
	}
	return at;
}

/* ---- go ---- */

static bool is_go(struct span w)
{
	static const char *const variables[] = { "$GO",       "${GO}",     "$(GO)",   "$GOCMD",
						 "${GOCMD}",  "$(GOCMD)",  "$GO_CMD", "${GO_CMD}",
						 "$GOBIN/go", "${GO:-go}", "$GOTOOL" };
	struct span base = path_base(w);

	return span_eq(base, S("go")) || LISTED(w, variables) ||
	       (span_starts(base, S("go1.")) && base.n < 12);
}

/* The word of go's subcommand, behind `-C DIR`. */
static size_t go_command(const struct sh *c, size_t at)
{
	at++;
	if (span_eq(sh_word(c, at), S("-C")))
		return at + 2;
	return at + span_starts(sh_word(c, at), S("-C="));
}

static enum sh_does_what does_go(const struct sh *c, size_t at)
{
	static const char *const asks[] = { "edit", "graph", "why", "init", "help" };
	static const char *const own[] = { "test2json", "cover",     "pprof",   "trace", "nm",
					   "objdump",   "addr2line", "buildid", "dist",  "doc" };
	size_t sub = go_command(c, at);
	struct span word = sh_word(c, sub), next = sh_word(c, sub + 1);

	if (span_eq(word, S("list")))
		return DOES_LIST;
	if (span_eq(word, S("fmt")) || (span_eq(word, S("tool")) && LISTED(path_base(next), formatters)))
		return DOES_FORMAT;
	if (!LISTED(word, go_words) || (span_eq(word, S("mod")) && LISTED(next, asks)) ||
	    (span_eq(word, S("tool")) && (LISTED(next, own) || !next.n)))
		return DOES_OTHER;
	if (span_eq(word, S("work")) && !span_eq(next, S("sync")) && !span_eq(next, S("vendor")))
		return DOES_OTHER;
	return DOES_WATCHED;
}

static bool is_configured(const struct sh_walk *k, const struct sh *c, size_t at, struct span text)
{
	const struct lint_words *w = &k->f->config->watched;

	for (size_t i = 0; i < w->n; i++) {
		struct span rest = text, want = span_of(w->v[i]);
		if (span_eq(sh_word(c, at), want) || (span_skip(&rest, want) && (!rest.n || *rest.p == ' ')))
			return true;
	}
	return false;
}

static struct span words_text(struct sh_walk *k, const struct sh *c, size_t at, bool shown)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = at; i < c->n_words && b.len < 400; i++) {
		struct span raw = c->words[i].raw;
		if (shown)
			raw = sh_shown(k, raw, c->words[i].from);
		if (i > at)
			buf_addc(&b, ' ');
		for (size_t n = 0; n < raw.n && b.len < 400; n++) {
			char ch = raw.p[n];
			buf_addc(&b, ch == '\n' || ch == '\t' ? ' ' : ch);
		}
	}
	struct span copy = arena_span(k->f->scratch, buf_view(&b));
	k->f->bad |= b.bad || (b.len && !copy.p);
	return copy.p ? copy : S("");
}

struct span sh_command(struct sh_walk *k, const struct sh *c, const struct sh_does *does)
{
	return sh_short(k, words_text(k, c, does->at, true));
}

static enum sh_does_what does_word(struct sh_walk *k, const struct sh *c, size_t at, struct span text)
{
	struct span name = path_base(sh_word(c, at));

	if (is_go(sh_word(c, at)))
		return does_go(c, at);
	if (LISTED(name, tools))
		return sh_word_is(c, at + 1, asking, ARRAY_LEN(asking)) ? DOES_OTHER : DOES_WATCHED;
	if (LISTED(name, formatters))
		return DOES_FORMAT;
	return is_configured(k, c, at, text) ? DOES_WATCHED : DOES_OTHER;
}

static bool evaluates(const struct sh *c, size_t at)
{
	return at && span_eq(sh_word(c, at - 1), S("eval"));
}

void sh_does(struct sh_walk *k, const struct sh *c, const struct sh_state *s, struct sh_does *ret)
{
	static const char *const makes[] = { "make", "gmake", "$(MAKE)", "${MAKE}", "$MAKE" };
	static const char *const tasks[] = { "task", "go-task" };
	static const char *const switches[] = { "su", "runuser", "-c" }; /* flock FILE -c '…' */

	*ret = (struct sh_does){ 0 };
	for (int i = 0; i < WRAPPERS_MAX; i++) {
		size_t next = unwrap_find(c, unwrap(c, ret->at, ret), ret);
		if (next == ret->at)
			break;
		ret->at = next;
	}
	ret->inner_shell = SHELL_SH;
	if (ret->at >= c->n_words)
		return;
	ret->reads = false;
	const struct sh_word *w = &c->words[ret->at];
	ret->text = words_text(k, c, ret->at, false);
	ret->what = does_word(k, c, ret->at, ret->text);
	ret->go = is_go(w->plain);
	if (ret->what != DOES_OTHER)
		return;
	ret->function = ret->elsewhere ? NULL : sh_function(k, w->plain);
	if (ret->function)
		ret->what = DOES_CALL;
	else if (LISTED(w->plain, makes))
		does_make(k, c, s, false, ret);
	else if (LISTED(w->plain, tasks))
		does_make(k, c, s, true, ret);
	else if (LISTED(path_base(w->plain), shells))
		does_shell(k, c, s, ret);
	else if (LISTED(path_base(w->plain), switches))
		does_su(k, c, ret);
	else if (c->n_words == ret->at + 1 && (ret->elsewhere || evaluates(c, ret->at)) &&
		 inner_text(k, w, ret)) /* ssh host '…', eval '…' */
		ret->same = !ret->elsewhere;
	else
		does_script(k, w, s, ret);
}
