#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "check/from_faults.h"
#include "cli/check_lint.h"
#include "cli/fault.h"

/* `tocsin check --from-faults`: the rules, by the faults of the library that they would have prevented, and whether this tree breaks them. */

#define SHOWN 5 /* faults and places of a rule that people see */

struct worth_out {
	struct fault_task t;
	struct fault_list faults;
	struct lint_settings settings;
	struct lint_result lint;
	struct rule_worth *rules;
	size_t n;
	size_t caught; /* faults that some rule would have prevented */
	bool picked;   /* not all rules were asked for */
	struct buf prefix;
};

/* ---- the library ---- */

static int read_faults(struct worth_out *x, struct err *e)
{
	struct fault_filter all = { .order = ORDER_LAST };

	x->faults.mem = &x->t.mem;
	int r = store_faults(x->t.s, &all, fault_keep, &x->faults, e);
	return r < 0 && !*e->msg ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : r;
}

static int rank(struct worth_out *x, const struct lint_values *o, struct err *e)
{
	CLEANUP(mem_free) struct fault_seen *seen = mem_alloc((x->faults.n + 1) * sizeof(*seen));
	CLEANUP(mem_free) bool *caught = mem_zalloc(x->faults.n + 1);
	size_t n = 0;

	x->rules = arena_alloc(&x->t.mem, (rule_count + 1) * sizeof(*x->rules));
	for (size_t i = 0; seen && i < x->faults.n; i++) {
		const struct fault *f = &x->faults.v[i];
		seen[i] = (struct fault_seen){ f->cause, f->count, f->last_seen };
	}
	ptrdiff_t found = seen && caught && x->rules ? rules_of_faults(seen, x->faults.n, &x->t.mem, x->rules)
						     : -1;
	if (found < 0)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	for (size_t i = 0; i < (size_t)found; i++) {
		const struct rule_worth *w = &x->rules[i];
		if (!lint_rule_asked(o, (size_t)(w->rule - rules)))
			continue;
		for (size_t k = 0; k < w->n_faults; k++)
			caught[w->faults[k]] = true;
		x->rules[n++] = *w;
	}
	for (size_t i = 0; i < x->faults.n; i++)
		x->caught += caught[i];
	x->n = n;
	return 0;
}

/* ---- the tree ---- */

static bool is_off(const struct worth_out *x, const struct rule *r)
{
	return !x->settings.on[r - rules];
}

/* Also what is off here is looked at: that it is off may be the mistake. */
static int look(struct worth_out *x, const struct args *a, struct err *e)
{
	struct lint_options *o = &x->settings.options;
	CLEANUP(mem_free) bool *on = mem_zalloc((rule_count + 1) * sizeof(*on));
	int r = on ? lint_choose_root(a, o, &x->prefix, e) : err_set(e, ENOMEM, TR("no memory", "内存不足"));

	for (size_t i = 0; i < x->n && r == 0; i++) {
		size_t rule = (size_t)(x->rules[i].rule - rules);
		on[rule] = true;
		x->settings.everywhere[rule] |= !x->settings.on[rule];
	}
	o->on = on;
	if (r == 0)
		r = lint_run(o, &x->lint, e);
	o->on = NULL;
	if (r < 0)
		return r;
	lint_settings_apply(&x->settings, &x->lint);
	rules_by_worth(x->rules, x->n, &x->lint);
	return 0;
}

/* ---- JSON ---- */

static void json_time(struct json_out *j, const char *key, int64_t wall)
{
	char text[32];

	time_rfc3339(wall, text);
	json_member_strz(j, key, text);
}

static void json_faults(struct json_out *j, const struct worth_out *x, const struct rule_worth *w)
{
	json_member_open(j, "caught", '[');
	for (size_t i = 0; i < w->n_faults; i++) {
		const struct fault *f = &x->faults.v[w->faults[i]];
		char id[32];
		snprintf(id, sizeof(id), "T-%lld", (long long)f->seq);
		json_open(j, '{');
		json_member_str(j, "id", f->id);
		json_member_strz(j, "short", id);
		json_member_str(j, "cause", f->cause);
		json_member_strz(j, "state", fault_state_words[f->state]);
		json_member_str(j, "title", f->title);
		json_member_int(j, "count", f->count);
		json_time(j, "last_seen", f->last_seen);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void json_places(struct json_out *j, const struct worth_out *x, const struct rule_worth *w)
{
	CLEANUP(buf_free) struct buf file = { 0 };

	json_member_open(j, "places", '[');
	for (const struct lint_finding *f = w->first; f && f < x->lint.findings + x->lint.n; f++) {
		if (f->rule != w->rule)
			continue;
		buf_clear(&file);
		buf_addf(&file, "%s%s", buf_str(&x->prefix), f->path);
		json_open(j, '{');
		json_member_str(j, "file", buf_view(&file));
		json_member_int(j, "line", f->at.line);
		json_member_int(j, "column", f->at.column);
		json_close(j, '}');
	}
	json_close(j, ']');
	j->to->bad |= file.bad;
}

static void json_rule(struct json_out *j, const struct worth_out *x, const struct rule_worth *w)
{
	json_open(j, '{');
	json_member_strz(j, "rule", w->rule->id);
	json_member_strz(j, "title", tx(w->rule->title));
	json_member_strz(j, "severity", severity_word(w->rule->severity));
	json_member_bool(j, "on", !is_off(x, w->rule));
	json_member_int(j, "faults", (int64_t)w->n_faults);
	json_member_int(j, "runs", w->runs);
	json_time(j, "last_seen", w->last_seen);
	json_member_open(j, "prevents", '[');
	for (struct span rest = span_of(w->rule->prevents); rest.n;)
		json_str(j, span_cut(&rest, ' '));
	json_close(j, ']');
	json_member_int(j, "findings", (int64_t)w->findings);
	json_places(j, x, w);
	json_faults(j, x, w);
	json_close(j, '}');
}

static void write_json(const struct worth_out *x, struct buf *b)
{
	struct json_out j = { .to = b };

	json_open(&j, '{');
	json_member_strz(&j, "schema", "tocsin.worth/1");
	json_member_strz(&j, "store", store_name(x->t.s));
	json_member_int(&j, "faults", (int64_t)x->faults.n);
	json_member_int(&j, "caught", (int64_t)x->caught);
	json_member_open(&j, "checked", '{');
	json_member_int(&j, "files", (int64_t)x->lint.files);
	json_close(&j, '}');
	json_member_open(&j, "rules", '[');
	for (size_t i = 0; i < x->n; i++)
		json_rule(&j, x, &x->rules[i]);
	json_close(&j, ']');
	json_member_open(&j, "limits", '[');
	for (size_t i = 0; i < x->lint.n_limits; i++)
		json_strz(&j, x->lint.limits[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	buf_addc(b, '\n');
}

/* ---- for people ---- */

static void put_worth(struct buf *b, const struct rule_worth *w)
{
	char when[32];

	buf_addf(b, COUNTED(w->n_faults, "%zu fault", "%zu faults", "%zu 个故障"), w->n_faults);
	buf_addf(b, COUNTED(w->runs, " in %lld run", " in %lld runs", "，共 %lld 次运行"),
		 (long long)w->runs);
	when_date(w->last_seen, when);
	buf_addf(b, TR(", last seen %s", "，最近一次 %s"), when);
}

static void put_more(struct buf *b, size_t n, size_t indent)
{
	if (n <= SHOWN)
		return;
	say_pad(b, indent);
	buf_addf(b, TR("and %zu more\n", "另有 %zu 个\n"), n - SHOWN);
}

static void put_fault(struct buf *b, const struct fault *f)
{
	buf_addf(b, "      T-%lld  ", (long long)f->seq);
	say_clean(b, f->cause);
	buf_adds(b, "  ");
	if (f->test.n && span_find(f->title, f->test) == SPAN_NONE) {
		say_clean(b, f->test);
		buf_adds(b, TR(": ", "："));
	}
	say_clean(b, span_head(f->title, span_chr(f->title, '\n')));
	buf_addc(b, '\n');
}

static void put_places(const struct worth_out *x, const struct rule_worth *w, struct buf *b)
{
	size_t n = 0;

	buf_adds(b, "    ");
	buf_addf(b,
		 COUNTED(w->findings, "broken here %zu time:\n", "broken here %zu times:\n",
			 "此处违反 %zu 次：\n"),
		 w->findings);
	for (const struct lint_finding *f = w->first; f && f < x->lint.findings + x->lint.n && n < SHOWN;
	     f++) {
		if (f->rule != w->rule)
			continue;
		buf_adds(b, "      ");
		buf_adds(b, buf_str(&x->prefix));
		say_clean(b, span_of(f->path));
		if (f->at.line > 0)
			buf_addf(b, ":%d:%d", f->at.line, f->at.column);
		buf_addc(b, '\n');
		n++;
	}
	put_more(b, w->findings, 6);
}

static void put_broken(const struct worth_out *x, const struct rule_worth *w, struct buf *b)
{
	say_paint(b, &x->t.out, PAINT_BOLD, w->rule->id);
	buf_addf(b, "  %s\n    ", tx(w->rule->title));
	if (is_off(x, w->rule))
		buf_addf(b,
			 TR("switched off here: `check: rules: {%s: on}` in tocsin.yaml switches it on\n    ",
			    "此处已关闭：在 tocsin.yaml 中写 `check: rules: {%s: on}` 开启\n    "),
			 w->rule->id);
	buf_adds(b, TR("would have prevented ", "本可预防 "));
	put_worth(b, w);
	buf_addc(b, '\n');
	for (size_t i = 0; i < w->n_faults && i < SHOWN; i++)
		put_fault(b, &x->faults.v[w->faults[i]]);
	put_more(b, w->n_faults, 6);
	put_places(x, w, b);
	buf_addc(b, '\n');
}

static bool as_worthy(const struct rule_worth *a, const struct rule_worth *b)
{
	return a->n_faults == b->n_faults && a->runs == b->runs && a->last_seen == b->last_seen;
}

/* Many rules prevent the same cause: what they are worth is said once. */
static void put_kept(const struct worth_out *x, size_t from, struct buf *b)
{
	for (size_t i = from; i < x->n; i++) {
		const struct rule_worth *w = &x->rules[i];
		if (i == from || !as_worthy(w, w - 1)) {
			buf_adds(b, "  ");
			put_worth(b, w);
			buf_addc(b, '\n');
		}
		buf_adds(b, "    ");
		say_paint(b, &x->t.out, PAINT_BOLD, w->rule->id);
		buf_addf(b, "  %s%s\n", tx(w->rule->title),
			 is_off(x, w->rule) ? TR(" (off here)", "（此处已关闭）") : "");
	}
}

static void put_head(const struct worth_out *x, struct buf *b)
{
	CLEANUP(buf_free) struct buf name = { 0 };

	say_clean(&name, span_of(store_name(x->t.s)));
	if (!x->faults.n)
		buf_addf(b,
			 TR("the fault library %s is empty: `tocsin run -- COMMAND` fills it\n",
			    "故障库 %s 是空的：`tocsin run -- 命令` 会写入记录\n"),
			 buf_str(&name));
	else if (!x->caught && x->picked)
		buf_addf(
			b,
			COUNTED(x->faults.n,
				"the %zu fault of the library %s is of a kind that these rules do not prevent\n",
				"the %zu faults of the library %s are of kinds that these rules do not prevent\n",
				"故障库中的 %zu 个故障（%s）都不是这些规则能预防的类型\n"),
			x->faults.n, buf_str(&name));
	else if (!x->caught)
		buf_addf(b,
			 COUNTED(x->faults.n,
				 "the %zu fault of the library %s is of a kind that no rule prevents\n",
				 "the %zu faults of the library %s are of kinds that no rule prevents\n",
				 "故障库中的 %zu 个故障（%s）都不是规则能预防的类型\n"),
			 x->faults.n, buf_str(&name));
	else
		buf_addf(b,
			 COUNTED(x->faults.n, "%zu of %zu fault in %s is of a kind that rules prevent\n\n",
				 "%zu of %zu faults in %s are of kinds that rules prevent\n\n",
				 "%zu / %zu 个故障（%s）属于规则能预防的类型\n\n"),
			 x->caught, x->faults.n, buf_str(&name));
	b->bad |= name.bad;
}

static void write_text(const struct worth_out *x, struct buf *b)
{
	size_t i = 0;

	put_head(x, b);
	for (; i < x->n && x->rules[i].findings; i++)
		put_broken(x, &x->rules[i], b);
	if (i < x->n && !x->lint.files)
		buf_adds(b, TR("nothing was looked at: no file here is Go source, a script or a pipeline\n",
			       "没有检查任何文件：此处没有 Go 源码、脚本或流水线\n"));
	else if (i < x->n)
		buf_addf(b,
			 COUNTED(x->lint.files, "not broken here (%zu file):\n",
				 "not broken here (%zu files):\n", "此处没有违反的（%zu 个文件）：\n"),
			 x->lint.files);
	put_kept(x, i, b);
	for (i = 0; i < x->lint.n_limits; i++) {
		buf_adds(b, TR("note: ", "提示："));
		say_clean(b, span_of(x->lint.limits[i]));
		buf_addc(b, '\n');
	}
}

/* ---- the whole ---- */

/* Rules that are left out here count as off, whatever --only and --skip name: those say which rules are ranked. */
static int work(struct worth_out *x, const struct lint_values *o, const struct args *a, struct err *e)
{
	struct lint_values plain = *o;

	plain.only = plain.skip = (struct opt_list){ 0 };
	x->picked = o->only.n || o->skip.n;
	int r = lint_rules_check(o, e);
	if (r == 0)
		r = lint_settings_read(&plain, &x->settings, e);
	if (r == 0)
		r = read_faults(x, e);
	if (r >= 0)
		r = rank(x, o, e);
	if (r == 0 && x->n)
		r = look(x, a, e);
	if (r == 0 && o->checked.json)
		write_json(x, &x->t.text);
	else if (r == 0)
		write_text(x, &x->t.text);
	return r;
}

int check_from_faults(const struct lint_values *o, const struct args *a)
{
	struct worth_out x = { 0 };
	struct err e = { 0 };
	int status = fault_begin(&x.t, o->store);

	if (status)
		return status;
	int r = work(&x, o, a, &e);
	lint_result_free(&x.lint);
	lint_settings_free(&x.settings);
	buf_free(&x.prefix);
	fault_list_free(&x.faults);
	return fault_end(&x.t, r, &e);
}
