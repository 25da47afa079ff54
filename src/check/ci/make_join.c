#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "check/lint_own.h"

/* What Makefiles say together with the files that they include, and with the tree they stand in. */

/* Does the path that an include names (its unknown parts are `_`) mean this file? */
static bool names(struct span include, struct span path)
{
	if (span_chr(include, '_') == SPAN_NONE || span_eq(include, path))
		return span_eq(include, path);
	struct span base = path_base(include);
	return base.n && *base.p != '_' && span_eq(base, path_base(path));
}

/*
 * The flags of the shell are those of the file that includes and of all that it includes: where one of them sets some, the others
 * have them too. Two rounds: main file -> its parts, parts -> main file; Makefiles are not nested deeper.
 */
static void spread_flags(struct lint_join *j, struct map *flagged)
{
	for (size_t i = 0; i < j->n_facts[FACT_MAKE_FLAGS]; i++)
		j->bad |= !map_put(flagged, j->facts[FACT_MAKE_FLAGS][i]->a, j);
	for (int round = 0; round < 2 && flagged->count; round++) {
		for (size_t i = 0; i < j->n_facts[FACT_MAKE_INCLUDES]; i++) {
			const struct lint_fact *f = j->facts[FACT_MAKE_INCLUDES][i];
			bool from = map_get(flagged, f->a) != NULL, to = false;
			for (size_t k = 0; k < j->n_facts[FACT_MAKE_FLAGS] && !from && k < 1000; k++)
				to |= names(f->b, j->facts[FACT_MAKE_FLAGS][k]->a);
			if (to)
				j->bad |= !map_put(flagged, f->a, j);
			if (from)
				j->bad |= !map_put(flagged, f->b, j);
		}
	}
}

static void drop_flagged(struct lint_join *j)
{
	struct lint_result *r = j->result;
	struct map flagged = { 0 };
	size_t n = 0;

	spread_flags(j, &flagged);
	for (size_t i = 0; i < r->n; i++)
		if (r->findings[i].rule != &rules[RULE_M03] ||
		    !map_get(&flagged, span_of(r->findings[i].path)))
			r->findings[n++] = r->findings[i];
	r->n = n;
	map_free(&flagged);
}

static void say_files(struct lint_join *j)
{
	for (size_t i = 0; i < j->n_facts[FACT_MAKE_FILE]; i++) {
		const struct lint_fact *f = j->facts[FACT_MAKE_FILE][i];
		CLEANUP(buf_free) struct buf path = { 0 };
		struct stat s;

		if (!j->on[RULE_M05] || !map_get(&j->watched, f->b))
			continue;
		buf_addf(&path, "%s/%.*s", j->options->root, SPAN_ARG(f->a));
		if (!path.bad && stat(buf_str(&path), &s) == 0)
			lint_join_say(j, RULE_M05, f->path, f->at, &f->c, 1);
		j->bad |= path.bad;
	}
}

void lint_join_make(struct lint_join *j)
{
	drop_flagged(j);
	say_files(j);
}
