#include "base/mem.h"
#include "base/path.h"
#include "check/ci/groovy.h"
#include "check/ci/interp.h"

/* The rules over a Jenkinsfile, declarative or scripted: which steps run a shell, and which blocks keep its failure from the build. */

#define BLOCKS_MAX  200 /* around one another */
#define STEPS_MAX   20000
#define SCANNED_MAX ((size_t)256 << 20)

struct block {
	size_t open, close, name; /* tokens; name 0: none */
	bool swallows;            /* what fails in it does not fail the build */
	struct span cwd, unit;
};
struct step { /* of a shell, with a watched command or units in it */
	size_t token;
	struct span what, unit; /* unit absent: what is watched itself */
};
struct jenkins {
	struct lint_file *f;
	struct groovy g;
	struct block blocks[BLOCKS_MAX];
	size_t depth;
	struct step *steps;
	size_t n_steps, cap_steps;
	size_t scanned; /* bytes that were searched for variables */
	struct span last_cwd, unit;
	bool unstable; /* something makes the build unstable or aborts it */
};

static bool is_word(const struct jenkins *j, size_t i, const char *const *words, size_t n)
{
	if (i >= j->g.n || j->g.v[i].kind != GROOVY_WORD)
		return false;
	for (size_t k = 0; k < n; k++)
		if (groovy_is(&j->g, i, words[k]))
			return true;
	return false;
}
#define IS_ONE(j, i, words) is_word(j, i, words, ARRAY_LEN(words))

static struct span string_of(struct jenkins *j, size_t i)
{
	CLEANUP(mapped_free) struct mapped out = { 0 };

	if (i >= j->g.n || j->g.v[i].kind != GROOVY_STRING)
		return (struct span){ 0 };
	groovy_string(&j->g, i, &out);
	return mapped_keep(j->f, &out);
}

#define STEP_TOKENS 2000 /* what goes on for longer is taken to end there */

/* The end of the step whose name is token i: behind its brackets, or the last token of its line. */
static size_t step_end(const struct groovy *g, size_t i)
{
	size_t k = i + 1;

	if (groovy_is(g, k, "(") && g->v[k].match > k)
		return g->v[k].match;
	for (; k < g->n && k < i + STEP_TOKENS &&
	       !(g->v[k].starts && !groovy_is(g, k - 1, ",") && !groovy_is(g, k - 1, "+"));
	     k++) {
		if (groovy_is(g, k, "}") || groovy_is(g, k, ";") || groovy_is(g, k, "{"))
			break;
		if (g->v[k].match > k)
			k = g->v[k].match;
	}
	return k - 1;
}

/* The token of the value of `name:` among the arguments in (i, end]; 0: not there. */
static size_t argument(const struct groovy *g, size_t i, size_t end, const char *name)
{
	for (size_t k = i + 1; k < end && k < i + 400; k++)
		if (g->v[k].kind == GROOVY_WORD && groovy_is(g, k + 1, ":") && groovy_is(g, k, name))
			return k + 2 <= end ? k + 2 : 0;
	return 0;
}

/* Is the value that the step at i gives thrown away? A name that it is given to, and that never comes again, counts as that. */
static bool is_unused(struct jenkins *j, size_t i, size_t end)
{
	const struct groovy *g = &j->g;

	if (i == 0 || groovy_is(g, i - 1, "{") || groovy_is(g, i - 1, "}") || groovy_is(g, i - 1, ";") ||
	    groovy_is(g, i - 1, "->"))
		return !groovy_is(g, end + 1, "}") || j->depth == 0 || j->blocks[j->depth - 1].name != 0;
	if (groovy_is(g, i - 1, "=")) {
		struct span name = i > 1 && g->v[i - 2].kind == GROOVY_WORD ? groovy_text(g, i - 2)
									    : (struct span){ 0 };
		struct span rest = span_from(j->f->text, g->v[end].to);
		/* env.RC, this.rc: read elsewhere. Where very many are asked for, all count as used: a loss is then not claimed. */
		j->scanned += rest.n;
		return j->scanned < SCANNED_MAX && name.n && !groovy_is(g, i - 3, ".") &&
		       span_find(rest, name) == SPAN_NONE;
	}
	if (!g->v[i].starts)
		return false;
	const char last = j->f->text.p[g->v[i - 1].to - 1];
	return !strchr("=(,+:?|&<[.!", last) && !groovy_is(g, i - 1, "return");
}

/* ---- blocks ---- */

/* The word that a block belongs to: `stage('x') {`, `steps {`, `catch (e) {`; 0: a closure of nobody. */
static size_t name_of_block(const struct groovy *g, size_t open)
{
	size_t i = open;

	if (!i)
		return 0;
	i--;
	if (groovy_is(g, i, ")") && g->v[i].match && g->v[i].match < i)
		i = g->v[i].match - 1u;
	else if (g->v[i].kind == GROOVY_STRING && i)
		i--;
	return i < open && g->v[i].kind == GROOVY_WORD ? i : 0;
}

/* Does a catch block do nothing that could still fail the build or tell somebody's code: no throw, no state, no value? */
static bool only_talks(const struct groovy *g, size_t open, size_t close)
{
	static const char *const acting[] = { "throw",  "error", "unstable",   "currentBuild",
					      "return", "exit",  "catchError", "warnError",
					      "sh",     "bat",   "rethrow",    "fail",
					      "abort",  "add",   "put",        "interrupt",
					      "retry",  "set" };

	for (size_t i = open + 1; i < close; i++) {
		struct span t = groovy_text(g, i);
		if (g->v[i].kind == GROOVY_SIGN &&
		    (span_eq(t, S("=")) || span_eq(t, S("+=")) || span_eq(t, S("<<"))))
			return false;
		if (g->v[i].kind != GROOVY_WORD)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(acting); k++)
			if (span_eq(t, span_of(acting[k])))
				return false;
		/* Helpers by their names: failBuild, handleError, markFailed. */
		bool fails = span_find(t, S("fail")) != SPAN_NONE || span_find(t, S("Fail")) != SPAN_NONE ||
			     span_find(t, S("Error")) != SPAN_NONE;
		if (fails && groovy_is(g, i + 1, "("))
			return false;
	}
	return true;
}

/* try { … } catch (e) { … }: the token of the `catch` that swallows; 0. */
static size_t swallowing_catch(const struct groovy *g, size_t close)
{
	size_t i = close + 1;

	if (!groovy_is(g, i, "catch") || !groovy_is(g, i + 1, "(") || !g->v[i + 1].match)
		return 0;
	size_t open = g->v[i + 1].match + 1u;
	if (!groovy_is(g, open, "{") || !g->v[open].match || g->v[open].match - open > 2000)
		return 0;
	return only_talks(g, open, g->v[open].match) ? i : 0;
}

struct fate {      /* of what fails in a block */
	size_t at; /* the token that says so; 0: it fails the build */
	enum rule_id rule;
	enum severity severity;
	struct span why;
};

static struct fate fate_of(struct jenkins *j, const struct block *b)
{
	const struct groovy *g = &j->g;

	if (groovy_is(g, b->name, "try") && b->name) {
		size_t at = swallowing_catch(g, b->close);
		return (struct fate){ at, RULE_J02, SEV_ERROR, S("catch") };
	}
	if (groovy_is(g, b->name, "warnError") && b->name)
		return (struct fate){ b->name, RULE_J01, SEV_WARNING, S("UNSTABLE") };
	if (!groovy_is(g, b->name, "catchError") || !b->name)
		return (struct fate){ 0 };
	struct span result = string_of(j, argument(g, b->name, b->open, "buildResult"));
	bool green = span_eq(result, S("SUCCESS"));
	return (struct fate){ green || span_eq(result, S("UNSTABLE")) ? b->name : 0, RULE_J01,
			      green ? SEV_ERROR : SEV_WARNING, result };
}

static struct span join_dir(struct jenkins *j, struct span cwd, struct span dir)
{
	if (!dir.p || span_eq(cwd, S("*")) || span_chr(dir, '_') == 0 || span_starts(dir, S("/")) ||
	    span_find(dir, S("..")) != SPAN_NONE)
		return S("*");
	if (span_eq(dir, S(".")))
		return cwd;
	return cwd.n ? lint_text(j->f, "%.*s/%.*s", SPAN_ARG(cwd), SPAN_ARG(dir)) : dir;
}

static void open_block(struct jenkins *j, size_t open)
{
	const struct groovy *g = &j->g;
	const struct block *up = j->depth ? &j->blocks[j->depth - 1] : NULL;

	if (j->depth == BLOCKS_MAX || !g->v[open].match)
		return;
	struct block b = { open,
			   g->v[open].match,
			   name_of_block(g, open),
			   up && up->swallows,
			   up ? up->cwd : S(""),
			   up ? up->unit : j->unit };
	size_t first = b.name + 1 + groovy_is(g, b.name + 1, "(");
	if (b.name && groovy_is(g, b.name, "stage") && first < open) {
		b.unit = lint_text(j->f, "ci:%s:%.*s", j->f->path, SPAN_ARG(string_of(j, first)));
		lint_fact(j->f, FACT_UNIT, g->v[b.name].from, g->v[open].from, b.unit, S(""), S(""));
	} else if (b.name && groovy_is(g, b.name, "dir")) {
		b.cwd = join_dir(j, b.cwd, string_of(j, first));
	}
	b.swallows |= fate_of(j, &b).at != 0;
	j->blocks[j->depth++] = b;
}

/* The first step in the block that would have failed the build. */
static void say_block(struct jenkins *j, const struct block *b)
{
	struct fate fate = fate_of(j, b);
	const struct step *s = NULL;
	size_t low = 0, high = j->n_steps;

	while (fate.at && low < high) {
		size_t mid = (low + high) / 2;
		if (j->steps[mid].token < b->open)
			low = mid + 1;
		else
			high = mid;
	}
	if (!fate.at || low >= j->n_steps || j->steps[low].token > b->close)
		return;
	s = &j->steps[low];
	const struct groovy_token *t = &j->g.v[fate.at];
	struct lint_finding *x =
		lint_say_as(j->f, fate.rule, fate.severity, t->from, t->to, s->what, fate.why);
	if (x && s->unit.p)
		x->unit = s->unit;
}

/* ---- steps ---- */

static const struct shell_as script_rules[] = {
	{ RULE_S04, RULE_J04 },
	{ RULE_S16, RULE_J04 },
};

static enum shell_kind shell_of_step(const struct jenkins *j, size_t i)
{
	return groovy_is(&j->g, i, "bat") ? SHELL_CMD : groovy_is(&j->g, i, "sh") ? SHELL_SH : SHELL_PWSH;
}

static void keep_step(struct jenkins *j, size_t token, const struct shell_told *told, struct span text)
{
	if (!told->watched && !told->n_units)
		return;
	if (j->n_steps >= STEPS_MAX || !mem_grow(&j->steps, &j->cap_steps, j->n_steps, sizeof(*j->steps))) {
		j->f->bad |= j->n_steps < STEPS_MAX;
		return;
	}
	struct span what = told->watched && told->to > told->from
				   ? (struct span){ j->f->text.p + told->from, told->to - told->from }
				   : text,
		    rest = span_trim(what);
	what = span_cut(&rest, '\n');
	j->steps[j->n_steps++] = (struct step){ token, arena_span(j->f->scratch, span_head(what, 80)),
						told->watched ? (struct span){ 0 } : told->units[0] };
}

static void run(struct jenkins *j, size_t i, size_t string, bool ignored, struct shell_told *told)
{
	CLEANUP(mapped_free) struct mapped out = { 0 };
	const struct block *b = j->depth ? &j->blocks[j->depth - 1] : NULL;
	struct interp shell = { shell_of_step(j, i), SHELL_ON, SHELL_OFF, SHELL_ON };

	groovy_string(&j->g, string, &out);
	if (groovy_is(&j->g, string + 1, "+"))
		mapped_as(&out, S("_"), j->g.v[string].to - 1, 1);
	struct span text = mapped_keep(j->f, &out), head = text;
	if (!text.n || out.bad)
		return;
	if (span_skip(&head, S("#!"))) { /* neither -x nor -e then */
		shell = (struct interp){ .shell = SHELL_OTHER };
		interp_words(&shell, span_cut(&head, '\n'), true);
	}
	shell_check(j->f, text,
		    &(struct shell_run){ .shell = shell.shell,
					 .place = SHELL_JENKINS,
					 .errexit = shell.errexit,
					 .pipefail = shell.pipefail,
					 .xtrace = shell.xtrace,
					 .cwd = b ? b->cwd : S(""),
					 .unit = b ? b->unit : j->unit,
					 .pieces = out.pieces,
					 .n_pieces = out.n,
					 .ignored = ignored || (b && b->swallows),
					 .as = script_rules,
					 .n_as = ARRAY_LEN(script_rules) },
		    told);
	keep_step(j, i, told, text);
}

static void look_shell_step(struct jenkins *j, size_t i)
{
	const struct groovy *g = &j->g;
	size_t end = step_end(g, i), script = argument(g, i, end, "script"),
	       status = argument(g, i, end, "returnStatus");
	struct shell_told told = { 0 };
	bool lost = status && groovy_is(g, status, "true");

	if (!script)
		script = i + 1 + groovy_is(g, i + 1, "(");
	if (script > end || script >= g->n || g->v[script].kind != GROOVY_STRING)
		return;
	run(j, i, script, lost, &told);
	if (!lost || !is_unused(j, i, end) || (!told.watched && !told.n_units) || !j->n_steps)
		return;
	const struct step *s = &j->steps[j->n_steps - 1];
	struct lint_finding *x = lint_say(j->f, RULE_J02, g->v[status - 2].from, g->v[status].to, s->what,
					  S("returnStatus: true"));
	if (x && s->unit.p)
		x->unit = s->unit;
}

/* build job: 'x', propagate: false */
static void look_build_step(struct jenkins *j, size_t i)
{
	const struct groovy *g = &j->g;
	size_t end = step_end(g, i), job = argument(g, i, end, "job"),
	       propagate = argument(g, i, end, "propagate"), wait = argument(g, i, end, "wait");

	if (!job || !groovy_is(g, propagate, "false") || !propagate ||
	    (wait && groovy_is(g, wait, "false")) || !is_unused(j, i, end))
		return;
	lint_say(j->f, RULE_J04, g->v[propagate - 2].from, g->v[propagate].to,
		 lint_text(j->f, "build %.*s", SPAN_ARG(groovy_text(g, job))), S("propagate: false"),
		 lint_text(j->f, "%zu", (size_t)0));
}

/* ---- post ---- */

static bool sends(struct jenkins *j, size_t open, size_t close)
{
	static const char *const steps[] = { "slackSend",
					     "mail",
					     "emailext",
					     "emailextrecipients",
					     "mattermostSend",
					     "office365ConnectorSend",
					     "dingtalk",
					     "dingTalk",
					     "telegramSend",
					     "discordSend",
					     "rocketSend",
					     "hipchatSend",
					     "googlechatnotification",
					     "pagerduty",
					     "httpRequest",
					     "qyWechatNotification",
					     "feiShuTalk",
					     "opsgenie" };

	for (size_t i = open + 1; i < close; i++) {
		struct span t = groovy_text(&j->g, i);
		if (j->g.v[i].kind == GROOVY_STRING &&
		    (span_find(t, S("curl ")) != SPAN_NONE || span_find(t, S("tocsin alert")) != SPAN_NONE))
			return true;
		if (j->g.v[i].kind == GROOVY_WORD &&
		    (IS_ONE(j, i, steps) || span_starts(t, S("notify")) || span_starts(t, S("alert")) ||
		     lint_word_in(&j->f->config->alerts, t)))
			return true;
	}
	return false;
}

/* The block of that name right inside of the block [open, close]: its open bracket; 0. */
static size_t child(const struct groovy *g, size_t open, size_t close, const char *name)
{
	for (size_t i = open + 1; i < close; i++) {
		if (groovy_is(g, i, name) && groovy_is(g, i + 1, "{"))
			return i + 1;
		if (g->v[i].match > i)
			i = g->v[i].match;
	}
	return 0;
}

static void look_post(struct jenkins *j, const struct block *b)
{
	static const char *const others[] = { "unsuccessful", "always",  "unstable",  "aborted",
					      "cleanup",      "changed", "regression" };
	const struct groovy *g = &j->g;
	size_t failure = child(g, b->open, b->close, "failure");

	if (!failure || !g->v[failure].match || !j->unstable || !sends(j, failure, g->v[failure].match))
		return;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		size_t open = child(g, b->open, b->close, others[i]);
		if (open && g->v[open].match && sends(j, open, g->v[open].match))
			return;
	}
	lint_say(j->f, RULE_J03, g->v[failure - 1].from, g->v[failure - 1].to);
}

/* ---- the walk ---- */

static void look_environment(struct jenkins *j, size_t i)
{
	const struct groovy *g = &j->g;
	const struct block *b = j->depth ? &j->blocks[j->depth - 1] : NULL;

	if (!b || !b->name || !groovy_is(g, b->name, "environment") || g->v[i].kind != GROOVY_WORD ||
	    !groovy_is(g, i + 1, "=") || i + 2 >= g->n || g->v[i + 2].kind != GROOVY_STRING)
		return;
	shell_check_env(j->f, groovy_text(g, i), string_of(j, i + 2), g->v[i].from, g->v[i].to, j->unit);
}

static void look_token(struct jenkins *j, size_t i)
{
	static const char *const shells[] = { "sh", "bat", "powershell", "pwsh" };
	const struct groovy *g = &j->g;
	bool called = i + 1 < g->n && (groovy_is(g, i + 1, "(") ||
				       (!g->v[i + 1].starts &&
					(g->v[i + 1].kind == GROOVY_STRING || groovy_is(g, i + 2, ":"))));

	if (g->v[i].kind != GROOVY_WORD)
		return;
	look_environment(j, i);
	if (!called || groovy_is(g, i - 1, ".") || groovy_is(g, i - 1, "def"))
		return;
	if (IS_ONE(j, i, shells))
		look_shell_step(j, i);
	else if (groovy_is(g, i, "build"))
		look_build_step(j, i);
}

static void close_blocks(struct jenkins *j, size_t i)
{
	while (j->depth && j->blocks[j->depth - 1].close <= i) {
		const struct block *b = &j->blocks[--j->depth];
		say_block(j, b);
		if (b->name && groovy_is(&j->g, b->name, "post"))
			look_post(j, b);
	}
}

void jenkins_check(struct lint_file *f)
{
	static const char *const unstable[] = { "junit",           "xunit",          "recordIssues",
						"warnError",       "unstable",       "timeout",
						"publishCoverage", "recordCoverage", "nunit" };
	struct jenkins *j = mem_zalloc(sizeof(*j));

	if (!j) {
		f->bad = true;
		return;
	}
	j->f = f;
	j->unit = lint_text(f, "ci:%s:", f->path);
	groovy_read(f->text, &j->g);
	f->bad |= j->g.bad;
	for (size_t i = 0; i < j->g.n && !j->unstable; i++)
		j->unstable = IS_ONE(j, i, unstable);
	for (size_t i = 0; i < j->g.n && !f->bad; i++) {
		close_blocks(j, i);
		if (groovy_is(&j->g, i, "{"))
			open_block(j, i);
		else
			look_token(j, i);
	}
	close_blocks(j, j->g.n);
	if (j->g.cut)
		lint_limit(f, TR("nested too deep or too long: only its beginning was looked at",
				 "嵌套过深或过长：只检查了开头部分"));
	groovy_free(&j->g);
	mem_free(j->steps);
	mem_free(j);
}
