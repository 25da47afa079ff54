#include <errno.h>

#include "base/json.h"
#include "check/from_faults.h"
#include "cli/check_lint.h"
#include "cli/fault.h"

/* `tocsin check --from-faults`: the rules, by the faults of the library that they would have prevented. */

struct causes {
	struct fault_cause *v;
	size_t n, cap;
	struct arena mem;
};

static int add(void *ctx, const struct fault *f)
{
	struct causes *c = ctx;
	size_t i = 0;

	while (i < c->n && !span_eq(c->v[i].cause, f->cause))
		i++;
	if (i == c->n) {
		struct span cause = arena_span(&c->mem, f->cause);
		if (!cause.p || !mem_grow(&c->v, &c->cap, c->n, sizeof(*c->v)))
			return -ENOMEM;
		c->v[c->n++] = (struct fault_cause){ .cause = cause };
	}
	c->v[i].faults++;
	c->v[i].runs += f->count;
	return 0;
}

static void write_json(const struct rule_worth *w, size_t n, struct buf *b)
{
	struct json_out j = { .to = b };

	json_open(&j, '{');
	json_key(&j, "schema");
	json_strz(&j, "tocsin.worth/1");
	json_key(&j, "rules");
	json_open(&j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(&j, '{');
		json_key(&j, "rule");
		json_strz(&j, w[i].rule->id);
		json_key(&j, "title");
		json_strz(&j, tx(w[i].rule->title));
		json_key(&j, "faults");
		json_int(&j, w[i].faults);
		json_key(&j, "runs");
		json_int(&j, w[i].runs);
		json_key(&j, "prevents");
		json_strz(&j, w[i].rule->prevents);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	buf_addc(b, '\n');
}

static void write_text(const struct rule_worth *w, size_t n, struct buf *b)
{
	if (!n)
		buf_addf(b, "%s\n",
			 TR("no fault of the library is of a cause that a rule prevents",
			    "故障库中没有规则能预防的原因"));
	for (size_t i = 0; i < n; i++)
		buf_addf(b,
			 TR("%s  %lld runs of %lld faults (%s)  %s\n",
			    "%s  %lld 次运行、%lld 个故障（%s）  %s\n"),
			 w[i].rule->id, (long long)w[i].runs, (long long)w[i].faults, w[i].rule->prevents,
			 tx(w[i].rule->title));
}

int check_from_faults(const char *store, bool json)
{
	struct fault_task t = { 0 };
	struct causes c = { 0 };
	struct fault_filter all = { 0 };
	struct err e = { 0 };
	CLEANUP(mem_free) struct rule_worth *w = mem_alloc((rule_count + 1) * sizeof(*w));
	int status = fault_begin(&t, store);

	if (status)
		return status;
	int r = w ? store_faults(t.s, &all, add, &c, &e) : -ENOMEM;
	if (r == -ENOMEM && !*e.msg)
		err_set(&e, ENOMEM, TR("no memory", "内存不足"));
	size_t n = r < 0 ? 0 : rules_by_worth(c.v, c.n, w);
	if (r >= 0 && json)
		write_json(w, n, &t.text);
	else if (r >= 0)
		write_text(w, n, &t.text);
	mem_free(c.v);
	arena_free(&c.mem);
	return fault_end(&t, r, &e);
}
