#ifndef CHECK_LINT_OWN_H
#define CHECK_LINT_OWN_H

#include "base/buf.h"
#include "base/map.h"
#include "check/lint.h"

/* Inside of the lint: what rules see of it. */

enum rule_id {
#define RULE(id, ...) RULE_##id,
#include "check/rules.def"
#undef RULE
	RULES,
};
enum lint_fact_kind {
#define FACT(name) FACT_##name,
#include "check/lint_facts.def"
#undef FACT
	FACTS,
};
struct lint_fact {
	enum lint_fact_kind kind;
	const char *path;
	struct span a, b, c;
	uint32_t from, to; /* bytes of the file; both 0: of the file as a whole */
	struct lint_place at;
};

/*
 * One file that is being looked at, by one thread. What the rules say of it depends on its text, its path, go and the configuration
 * alone, so that it can be kept; what depends on other files is said as a fact, or under the condition of a unit, and joined later.
 */
struct syntax;
struct lint_worker;
struct lint_kind;
struct lint_lines { /* where each line begins */
	uint32_t *at;
	size_t n, cap;
};
struct lint_part { /* one of several files whose texts were put together */
	const char *path;
	uint32_t from, to;
};
struct lint_file {
	struct lint_worker *worker;
	const struct lint_config *config;
	const bool *on;        /* by rule_id */
	struct arena *mem;     /* until the whole lint is over: for what findings and facts point to */
	struct arena *scratch; /* until the end of this file */
	const char *path;      /* relative to the root, '/' between */
	struct span text;
	int go;                       /* N of 1.N in go.mod's go line; 0: there is none */
	size_t errors;                /* places that could not be parsed */
	const struct lint_kind *kind; /* NULL: nobody looks at it */
	unsigned char sum[32];        /* SHA-256 of the text */
	bool told;                    /* its findings are wanted; else it only says facts */
	bool cached;                  /* what was said of it comes from the cache */
	bool together;                /* and what is said of it now was found together with others */
	/* what was said */
	struct lint_finding *findings;
	size_t n, cap;
	struct lint_fact *facts;
	size_t n_facts, cap_facts;
	const char *limit;             /* why (a part of) it was not looked at; NULL */
	const struct lint_part *parts; /* NULL: it is one file */
	size_t n_parts;
	struct lint_lines lines; /* once somebody has asked for one */
	int64_t shell_ns;        /* of processor time, that its shell took to parse */
	struct {
		const char *word;
		bool there;
	} words[16]; /* what lint_mentions was asked */
	size_t n_words;
	bool bad; /* no memory */
};

/*
 * A finding at the bytes [from, to) of the file's text. args are copied. NULL: the rule is off, or there is no memory; then nothing
 * is to be done. lint_say_as: with another severity than the row's. `unit` may be set afterwards (see lint_finding).
 */
struct lint_finding *lint_say_args(struct lint_file *f, enum rule_id rule, enum severity severity,
				   uint32_t from, uint32_t to, const struct span *args, size_t n);
#define lint_say_as(f, rule, severity, from, to, ...)                                                 \
	lint_say_args(f, rule, severity, from, to, (const struct span[]){ { 0 }, ##__VA_ARGS__ } + 1, \
		      sizeof((const struct span[]){ { 0 }, ##__VA_ARGS__ }) / sizeof(struct span) - 1)
#define lint_say(f, rule, from, to, ...) lint_say_as(f, rule, rules[rule].severity, from, to, ##__VA_ARGS__)
/* A part of the fix of what was said last (finding may be NULL: then nothing). text is copied. */
void lint_edit(struct lint_file *f, struct lint_finding *finding, bool safe, uint32_t from, uint32_t to,
	       struct span text);
void lint_fact(struct lint_file *f, enum lint_fact_kind kind, uint32_t from, uint32_t to, struct span a,
	       struct span b, struct span c);
/* A text that lives as long as the findings. "" without memory. */
__attribute__((format(printf, 2, 3))) struct span lint_text(struct lint_file *f, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void lint_limit(struct lint_file *f, const char *fmt, ...);
bool lint_word_in(const struct lint_words *w, struct span word);
/* The number of the line that a byte is in, from 1. */
int lint_line(struct lint_file *f, uint32_t byte);
/* Does its text have these bytes anywhere? `word` is a literal; each is looked for once. */
bool lint_mentions(struct lint_file *f, const char *word);

/* ---- a worker's parsers: made when they are needed first ---- */
struct syntax *lint_go_parser(struct lint_file *f);   /* NULL: no memory */
struct syntax *lint_yaml_parser(struct lint_file *f); /* the same */
struct syntax *lint_bash_parser(struct lint_file *f);

/* ---- languages ---- */

/* A kind of file: which it is, and who looks at it. The first row that takes it has it; rows are in lint_kinds.c. */
struct lint_kind {
	enum rule_language language;
	bool (*is)(const char *path, struct span head); /* head: the first KiB */
	void (*check)(struct lint_file *f);
	bool needs_head; /* its name alone does not tell */
};
extern const struct lint_kind lint_kinds[];
extern const size_t lint_kind_count;
const struct lint_kind *lint_kind_of(const char *path, struct span head,
				     bool *ask); /* *ask: its head may tell */

/* ---- which files: lint_find.c ---- */
struct lint_task { /* a file to look at */
	const char *path;
	int go;
	const struct lint_kind *kind; /* NULL: its head decides */
	bool told;                    /* its findings are wanted; else it only says facts to the others */
};
struct lint_tasks {
	struct lint_task *v;
	size_t n, cap;
	const char **limits; /* what could not be looked at */
	size_t n_limits, cap_limits;
	size_t excluded;
	bool bad;
};
int lint_find(const struct lint_options *o, struct arena *mem, struct lint_tasks *ret, struct err *e);

/* ---- comments that let findings pass: lint_allow.c ---- */
void lint_allow_scan(struct lint_file *f);

/* ---- what is known of files that have not changed: lint_cache.c ---- */
struct lint_cache;
/* NULL: there is none, and nothing is wrong with that. */
struct lint_cache *lint_cache_open(const struct lint_options *o, const bool on[]);
bool lint_cache_get(struct lint_cache *c, struct lint_file *f); /* by path, sum and go */
/* Writes it anew when something has changed; what cannot be written is no error. whole: files that are not among these are gone. */
void lint_cache_end(struct lint_cache *c, const struct lint_file *files, size_t n, bool whole, char **kept);

void golint_check(struct lint_file *f);
void gomod_check(struct lint_file *f);
void lint_note_across(struct lint_file *f); /* of every file that is not Go */
void shell_check_file(struct lint_file *f);
void make_check(struct lint_file *f);
void docker_check(struct lint_file *f);
void jenkins_check(struct lint_file *f);
void systemd_check(struct lint_file *f);
void cron_check(struct lint_file *f);
void taskfile_check(struct lint_file *f);

/* ---- files that are judged together: before all are joined ---- */

/* What was said of each file; whoever judges several together puts that in the place of what was said of each alone. */
struct lint_pool {
	struct lint_file *files;
	const struct lint_task *tasks; /* by path */
	size_t n;
	struct lint_file model; /* of a file of which nothing is known */
	bool (*read)(struct lint_pool *p, const char *path, struct buf *text);
	void (*place)(struct lint_file *f); /* findings and facts get their lines; the text is no more */
	void *ctx;
	bool bad;
};
/* The task of that path; SIZE_MAX: there is none. */
size_t lint_pool_find(const struct lint_pool *p, struct span path);
void gitlab_together(struct lint_pool *p);

/* ---- after all files: what they say together ---- */
struct lint_join {
	struct lint_result *result;
	const struct lint_options *options;
	const bool *on;
	const struct lint_fact *const *facts[FACTS]; /* by kind, in the order of paths */
	size_t n_facts[FACTS];
	struct map watched; /* units that lead to a watched command */
	bool bad;
};
/* Is the fact's kind there with this a and b? */
const struct lint_fact *lint_fact_find(const struct lint_join *j, enum lint_fact_kind kind, struct span a,
				       struct span b);
struct lint_finding *lint_join_say(struct lint_join *j, enum rule_id rule, const char *path,
				   struct lint_place at, const struct span *args, size_t n);
void lint_join_across(struct lint_join *j);
void lint_join_all(struct lint_join *j); /* calls what follows */
void golint_join_recover(struct lint_join *j);
void lint_join_make(struct lint_join *j);
void lint_allow_join(
	struct lint_join *j); /* last: drops what comments let pass, and says what is wrong with them */
#endif
