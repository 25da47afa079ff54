#include "diagnose/profile_own.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/path.h"

/* What each function and location of a profile comes to: names of the group, and what the rules say of them. */

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory for a profile", "内存不足，无法载入剖析数据"));
}

/* The package of "net/http.(*conn).serve" is net/http, its first element net. */
bool name_is_std(struct span name)
{
	/* clang-format off */
	static const char words[] = " archive bufio builtin bytes cmp compress container context crypto database debug embed encoding errors expvar "
		"flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp runtime slices sort strconv "
		"strings structs sync syscall testing text time unicode unique unsafe vendor weak ";
	/* clang-format on */
	char word[20];
	size_t n = 0;

	while (n < name.n && name.p[n] != '/' && name.p[n] != '.')
		n++;
	if (n == 0 || n > sizeof(word) - 3 || n == name.n)
		return false;
	word[0] = ' ';
	memcpy(word + 1, name.p, n);
	memcpy(word + 1 + n, " ", 2);
	return strstr(words, word) != NULL;
}

static uint8_t ask(const struct profiles *s, struct span text)
{
	return (uint8_t)((name_rule_matches(&s->focus, text) ? MATCH_FOCUS : 0) | (name_rule_matches(&s->ignore, text) ? MATCH_IGNORE : 0) |
			 (name_rule_matches(&s->hide, text) ? MATCH_HIDE : 0));
}

/* Of a damaged profile the address is all that is known: "0x4e07b5 [server]". Absent: not even that. */
static struct span address_name(const struct loading *l, const struct pprof_location *at, char *room, size_t size)
{
	struct span file = at->mapping == PPROF_NONE ? (struct span){ 0 } : pprof_string(&l->p, l->p.mappings[at->mapping].file);
	struct span base = path_base(file);
	int n = 0;

	if (l->p.n_flaws && at->address)
		n = snprintf(room, size, base.n ? "0x%llx [%.*s]" : "0x%llx", (unsigned long long)at->address, (int)span_head(base, size / 2).n, base.p);
	return (struct span){ n > 0 ? room : NULL, n > 0 ? (size_t)n : 0 };
}

static struct span object_name(struct loading *l, const struct pprof_location *at, char *room, size_t size)
{
	struct span file = at->mapping == PPROF_NONE ? (struct span){ 0 } : pprof_string(&l->p, l->p.mappings[at->mapping].file);
	struct span base = span_head(path_base(file), size - 3);

	if (!base.n)
		return S("<unknown>");
	room[0] = '[';
	memcpy(room + 1, base.p, base.n);
	room[base.n + 1] = ']';
	return (struct span){ room, base.n + 2 };
}

static bool map_functions(struct loading *l)
{
	const struct pprof *p = &l->p;
	bool rules = l->s->focus.code || l->s->ignore.code || l->s->hide.code;

	l->names = mem_alloc((p->n_functions + 1) * sizeof(*l->names));
	l->matched = mem_zalloc(p->n_functions + 1);
	l->mapped = mem_zalloc(p->n_mappings + 1);
	if (!l->names || !l->matched || !l->mapped)
		return false;
	for (size_t i = 0; i < p->n_functions; i++) {
		struct span name = pprof_string(p, p->functions[i].name);
		l->names[i] = name.n ? group_name(l->s, l->g, name) : PPROF_NONE;
		if (name.n && l->names[i] == PPROF_NONE)
			return false;
		if (rules)
			l->matched[i] = ask(l->s, name) | ask(l->s, pprof_string(p, p->functions[i].file));
	}
	for (size_t i = 0; rules && i < p->n_mappings; i++)
		l->mapped[i] = ask(l->s, pprof_string(p, p->mappings[i].file));
	return true;
}

/* drop_frames and keep_frames: names without their arguments, matched whole. */
static int prune_rule(struct name_rule *r, struct span pattern, struct err *e)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (!pattern.n)
		return 0;
	buf_adds(&b, "^(");
	buf_span(&b, pattern);
	buf_adds(&b, ")$");
	return b.bad ? no_memory(e) : name_rule_make(r, "drop_frames", b.p, b.len, e);
}

static bool is_pruned(const struct name_rule *drop, const struct name_rule *keep, struct span name)
{
	static const struct span reserved[] = { { "(anonymous namespace)", 21 }, { "operator()", 10 } };

	if (name.n && name.p[0] == '.')
		name = span_from(name, 1);
	for (size_t i = 0; i < name.n; i++) {
		struct span rest = span_from(name, i);
		size_t k = span_starts(rest, reserved[0]) ? reserved[0].n : span_starts(rest, reserved[1]) ? reserved[1].n : 0;
		if (k)
			i += k - 1;
		else if (name.p[i] == '(')
			name = span_head(name, i);
	}
	return name_rule_matches(drop, name) && !name_rule_matches(keep, name);
}

/* Which functions are beneath what somebody wants to see. */
static int prune_functions(struct loading *l, struct err *e)
{
	struct name_rule drop = { 0 }, keep = { 0 };
	const struct pprof *p = &l->p;
	int r = p->drop_frames.n ? prune_rule(&drop, p->drop_frames, e) : 0;

	if (r == 0 && drop.code)
		r = prune_rule(&keep, p->keep_frames, e);
	for (size_t i = 0; r == 0 && drop.code && i < p->n_functions; i++) {
		struct span name = pprof_string(p, p->functions[i].name);
		if (name.n && is_pruned(&drop, &keep, name))
			l->matched[i] |= PRUNE_ALL;
	}
	name_rule_free(&drop);
	name_rule_free(&keep);
	return r == -EINVAL ? 0 : r; /* a profile's own bad rule drops nothing */
}

static uint32_t frame_of(struct loading *l, const struct pprof_location *at, const struct pprof_line *line)
{
	char room[300];
	uint32_t name = line && line->function != PPROF_NONE ? l->names[line->function] : PPROF_NONE;

	if (name != PPROF_NONE)
		return name;
	struct span address = address_name(l, at, room, sizeof(room));
	return address.n ? group_name(l->s, l->g, address) : group_name(l->s, l->g, object_name(l, at, room, sizeof(room)));
}

static void prune_location(struct loading *l, const struct pprof_location *at, struct frames *f, uint32_t *first)
{
	for (uint32_t i = at->n; i > 0; i--) {
		const struct pprof_line *line = &l->p.lines[at->first + i - 1];
		if (line->function == PPROF_NONE || !(l->matched[line->function] & PRUNE_ALL))
			continue;
		f->bits |= PRUNE_BELOW | (i == at->n ? PRUNE_ALL : 0);
		*first = i == at->n ? 0 : i; /* a location that is dropped whole is still asked for its names */
		return;
	}
}

static void note_site(struct loading *l, struct frames *f, uint32_t line)
{
	uint32_t function = l->p.lines[line].function;

	if (f->site != PPROF_NONE || function == PPROF_NONE || l->names[function] == PPROF_NONE)
		return;
	if (name_is_std(l->g->names[l->names[function]]))
		return;
	f->site = l->names[function];
	f->line = line;
}

static bool map_location(struct loading *l, size_t i)
{
	const struct pprof_location *at = &l->p.locations[i];
	struct frames *f = &l->places[i];
	uint8_t mapped = at->mapping == PPROF_NONE ? 0 : l->mapped[at->mapping];
	uint32_t first = 0, name;

	*f = (struct frames){ .first = (uint32_t)l->n_frames, .site = PPROF_NONE, .bits = mapped & (MATCH_FOCUS | MATCH_IGNORE) };
	prune_location(l, at, f, &first);
	for (uint32_t k = first; k < at->n; k++) {
		const struct pprof_line *line = &l->p.lines[at->first + k];
		uint8_t bits = line->function == PPROF_NONE ? 0 : l->matched[line->function];
		f->bits |= bits & (MATCH_FOCUS | MATCH_IGNORE);
		if ((bits | mapped) & MATCH_HIDE)
			continue;
		name = frame_of(l, at, line);
		if (name == PPROF_NONE)
			return false;
		l->frames[l->n_frames++] = name;
		note_site(l, f, at->first + k);
	}
	if (at->n == 0 && !(mapped & MATCH_HIDE)) {
		name = frame_of(l, at, NULL);
		if (name == PPROF_NONE)
			return false;
		l->frames[l->n_frames++] = name;
	}
	f->n = (uint32_t)(l->n_frames - f->first);
	return true;
}

int loading_map(struct loading *l, struct err *e)
{
	const struct pprof *p = &l->p;

	if (!map_functions(l))
		return no_memory(e);
	int r = prune_functions(l, e);
	if (r < 0)
		return r;
	l->places = mem_alloc(p->n_locations * sizeof(*l->places));
	l->frames = mem_alloc((p->n_lines + p->n_locations) * sizeof(*l->frames));
	if (!l->places || !l->frames)
		return no_memory(e);
	for (size_t i = 0; i < p->n_locations; i++) {
		if (!map_location(l, i))
			return no_memory(e);
	}
	return 0;
}

void loading_free(struct loading *l)
{
	pprof_free(&l->p);
	mem_free(l->names);
	mem_free(l->matched);
	mem_free(l->mapped);
	mem_free(l->places);
	mem_free(l->frames);
}
