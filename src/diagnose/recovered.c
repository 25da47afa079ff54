/* Panics that a program without tests recovered and lived on: warnings of its run, as `explain` reads them from its log. */
#include "base/mem.h"
#include "base/path.h"
#include "diagnose/logscan.h"
#include "diagnose/state.h"

static bool has_tests(const struct judge *j)
{
	return j->packages_seen || j->run || j->n_failed_tests || j->is_go_test || j->cfg.json_out;
}

/* The judge, or the other stream, may have told it already. */
static struct jfinding *find_told(struct judge *j, const struct finding *f)
{
	for (size_t i = 0; i < j->n_findings; i++) {
		struct finding *k = &j->findings[i].f;
		if (k->cause == CAUSE_GO_PANIC_RECOVERED &&
		    (f->line ? k->line == f->line && span_eq(path_base(k->file), path_base(f->file))
			     : span_eq(k->message, f->message)))
			return &j->findings[i];
	}
	return NULL;
}

static void add_one(struct judge *j, const struct finding *f)
{
	struct jfinding *to = find_told(j, f);

	if (!to && !(to = finding_new(j, CAUSE_GO_PANIC_RECOVERED, false)))
		return;
	to->f.count += f->count;
	finding_line(j, &to->f.message, f->message);
	if (f->excerpt.n)
		finding_text(j, &to->f.excerpt, f->excerpt);
	if (f->file.n)
		finding_file(j, to, (struct span){ 0 }, f->file, f->line);
}

void recovered_add(struct judge *j)
{
	for (size_t i = 0; i < ARRAY_LEN(j->scan); i++) {
		struct report seen = { 0 };
		if (!j->scan[i] || has_tests(j))
			continue;
		logscan_end(j->scan[i]);
		logscan_findings(j->scan[i], &seen);
		for (size_t k = 0; k < seen.n_findings; k++) {
			if (seen.findings[k].cause ==
			    CAUSE_GO_PANIC_RECOVERED) /* how another program died, in a field of JSON, is none of this run's */
				add_one(j, &seen.findings[k]);
		}
		for (size_t k = 0; k < seen.limits.n; k++)
			limit_say(j, seen.limits.v[k]);
		j->no_memory |= seen.lost;
		report_free(&seen);
	}
}
