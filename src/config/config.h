#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"

/*
 * tocsin.yaml. Four places, the earlier wins key by key (a list is taken whole): the file that --config or
 * TOCSIN_CONFIG names, the project's (found upward from the working directory, up to the repository's root), the
 * user's, the system's. The project's came with the code: what could leak or destroy (TRUSTED rows) is not taken
 * from it.
 */
enum config_type {
	CONFIG_BOOL,
	CONFIG_COUNT,
	CONFIG_DURATION,
	CONFIG_SIZE,
	CONFIG_DATE,
	CONFIG_WORD,
	CONFIG_TEXT,
	CONFIG_NAME,
	CONFIG_PATH,
	CONFIG_URI,
	CONFIG_URL,
	CONFIG_ENDPOINT,
	CONFIG_SECRET,
	CONFIG_FAULT,
	CONFIG_RETRY,
	CONFIG_OUTCOME,
	CONFIG_CAUSE,
	CONFIG_PROXY,
	CONFIG_HOURS,
	CONFIG_CLOCK,
	CONFIG_ZONE,
	CONFIG_MAP, /* names to texts */
	CONFIG_ENTRIES,
};

enum config_flags {
	CONFIG_LIST = 1,    /* one or more of its type */
	CONFIG_TRUSTED = 2, /* never from the working tree */
	CONFIG_LATER = 4,   /* checked; this version does nothing with it */
	CONFIG_NEEDED = 8,  /* in its mapping */
	CONFIG_UNIQUE = 16, /* among the mappings of its list */
};

enum config_id {
#define KEY(id, path, type, flags, words, unset, doc_en, doc_zh, example) CFG_##id,
#include "config/keys.def"
#undef KEY
	CFG_KEYS,
};

struct config_key {
	const char *path;
	enum config_type type;
	unsigned flags;
	const char *const *words; /* NULL-terminated, of a CONFIG_WORD */
	const char *unset;
	struct tx doc;
	const char *example;
};
extern const struct config_key config_keys[CFG_KEYS];
extern const char *const config_langs[], *const config_formats[], *const config_on_fail[];
extern const char *const config_channel_types[]; /* as in enum channel_id */
extern const char *const config_levels[];
const char *config_type_word(enum config_type t);  /* for machines: "duration" */
const char *config_type_title(enum config_type t); /* for people: "a duration such as 90s, 10m or 7d" */
bool config_is_top(enum config_id id); /* not a key of a list's mappings: it has a value of its own */
/* The name without "[]": what stands in the file, and in `config explain`. */
struct span config_name(enum config_id id);
/* CFG_KEYS: there is none; *near is then a name that may have been meant, or NULL. "quarantine" and "quarantine[]" are one. */
enum config_id config_find(const char *name, const char **near);

enum config_place { CONFIG_NAMED, CONFIG_PROJECT, CONFIG_USER, CONFIG_SYSTEM, CONFIG_PLACES };
const char *config_place_word(enum config_place p); /* "named", "project", "user", "system" */

struct config_file {
	const char *path;  /* NULL: there is no such place */
	const char *shown; /* for people: relative to the working directory when below it */
	bool found, trusted;
};

enum config_origin { CONFIG_UNSET, CONFIG_FROM_FILE, CONFIG_FROM_FLAG };

struct yaml;
struct config_value {
	enum config_origin origin;
	enum config_place place; /* CONFIG_FROM_FILE */
	int line;
	const char *flag;        /* CONFIG_FROM_FLAG */
	const struct yaml *node; /* CONFIG_FROM_FILE */
	int64_t number;          /* count, bytes, ns, 0 or 1, index in words; also of the default */
	const char *text;        /* as written, of one that is no list; NULL: nothing */
	const char *const *list; /* NULL-terminated, of a list; its texts as written */
	size_t n;                /* of the list, or of the entries */
};

struct config_quarantine {
	const char *test, *package, *why, *fault; /* all but test may be NULL */
	const char *until;
	int line; /* in the file of the key */
	bool expired;
};

struct config_texts {
	const char *const *v;
	size_t n;
};

struct config_pair {
	const char *key, *value;
};

struct config_channel {
	const char *name, *type;
	const char *url, *secret; /* a reference, or a plain address; NULL: not given */
	const char *lang;         /* "en", "zh", NULL */
	/* The keys of its type that were given, as written; of a list one for each of its texts, in their order. */
	struct config_pair *options;
	size_t n_options;
	struct config_pair *mentions; /* owner -> id */
	size_t n_mentions;
	enum config_place place; /* never CONFIG_PROJECT */
	int line;
};

/* What a route or a silence asks for; in the order of the keys. */
enum config_when {
	WHEN_OUTCOME,
	WHEN_CAUSE, /* globs, as the following */
	WHEN_CLASS, /* words */
	WHEN_SEVERITY,
	WHEN_PACKAGE,
	WHEN_BRANCH,
	WHEN_JOB,
	WHEN_SERVICE,
	WHEN_STATE,
	WHEN_OWNER,
	WHEN_PROJECT,
	WHENS,
};
extern const char *const config_when_words[WHENS]; /* "outcome", … */

struct config_hours { /* on the clock of the route's zone */
	unsigned days;  /* bit 0: Monday; the days on which it begins */
	int from, to;   /* minutes of the day; to <= from: of the next day */
};
/* "22:00-08:00", "mon-fri 22:00-08:00", "sat,sun". */
bool config_hours(const char *text, struct config_hours *ret);

struct config_route {
	struct config_texts when[WHENS]; /* n 0: anything; of the outcome: all but passed */
	struct config_texts to, escalate_to;
	int level;                        /* 1 to 3 */
	int64_t repeat, group, escalate;  /* ns; group, escalate: -1: not given */
	struct config_texts group_by;     /* words of config_group_by */
	struct config_hours *quiet;
	size_t n_quiet;
	int digest_at;                    /* minute of the day */
	const char *zone;
	bool recovery;
	int line; /* in the file of the key */
};

struct config_silence {
	struct config_texts when[WHENS]; /* at least one is given */
	const char *why;                 /* may be NULL */
	int64_t until;                   /* wall ns, the first instant at which it holds no more */
	int line;
};

struct config_inhibit {
	struct config_texts cause, silences, same;
	int line;
};

struct config_error {
	const char *file;
	int line, column; /* 0: the file as a whole */
	const char *text; /* "FILE:LINE:COLUMN: key: sentence" */
	bool ignored;     /* in what is not taken from this file: no reason not to go on */
};

struct config {
	struct arena mem;
	struct config_file files[CONFIG_PLACES];
	struct config_value values[CFG_KEYS];
	const char *
		root; /* the project's: where its tocsin.yaml is, else the repository's root, else the working directory */
	struct config_quarantine *quarantine;
	size_t n_quarantine;
	struct config_channel *channels;
	size_t n_channels;
	struct config_route *routes;
	size_t n_routes;
	struct config_silence *silences; /* those that hold today */
	size_t n_silences;
	struct config_inhibit *inhibits;
	size_t n_inhibits;
	const char **notes; /* sentences to be said once */
	size_t n_notes, cap_notes;
	struct config_error *errors;
	size_t n_errors, cap_errors;
	bool no_memory;
};

/* Where to look. NULL: that place does not exist. */
struct config_places {
	const char *named; /* must be there */
	const char *cwd;   /* absolute */
	const char *home, *xdg, *system;
	int64_t today; /* wall time, for what expires */
};
/* named: of --config, may be NULL: then TOCSIN_CONFIG. cwd NULL: the working directory. The rest is the environment's. */
void config_places(const char *named, const char *cwd, struct config_places *ret);

/* Everything that is there, with all errors in ret->errors. A negative errno only when memory is out. */
int config_read(const struct config_places *where, struct config **ret, struct err *e);
/* config_places and config_read; the first error is an error. *ret is NULL then. */
int config_load(const char *named, const char *cwd, struct config **ret, struct err *e);
void config_free(struct config *c); /* NULL is fine */
void config_free_cleanup(struct config **c);

/* What holds: from a flag, a file, or the default. */
const struct config_value *config_get(const struct config *c, enum config_id id);
bool config_is_set(const struct config *c, enum config_id id); /* somebody said it */
int64_t
config_number(const struct config *c,
	      enum config_id id); /* duration in ns, size in bytes, count, 0 or 1, index of the word */
const char *config_text(const struct config *c, enum config_id id); /* NULL: not set, and no default */
const char *const *config_list(const struct config *c, enum config_id id,
			       size_t *n); /* NULL-terminated, never NULL */
/* Appends the text of a CONFIG_PATH, from the project's root. */
void config_path(const struct config *c, enum config_id id, struct buf *ret);
/* "tocsin.yaml:12", "--timeout", "default". */
void config_origin(const struct config *c, enum config_id id, struct buf *ret);
/* A text as it is written in the file: in quotes where YAML would take it for something else. */
void config_put_text(struct buf *b, const char *text);
/* A flag says it: above every file. Not for lists. */
int config_flag(struct config *c, enum config_id id, const char *flag, const char *value, struct err *e);
const struct config_channel *config_channel_named(const struct config *c, const char *name); /* NULL: there is none */
/* Has a channel of this type such a key? */
bool config_channel_takes(const char *type, const char *key);
/* The entry that excuses this failed test, and has not expired; or NULL. test is "TestA/sub"; package may be NULL. */
const struct config_quarantine *config_quarantined(const struct config *c, const char *package,
						   const char *test);
#endif
