#ifndef PARSE_YAML_H
#define PARSE_YAML_H

#include "base/arena.h"
#include "base/err.h"

/*
 * One YAML document as a tree. Scalars stay text: `on`, `no` and `012` are what was written; what they mean is for
 * the reader of a key to say. Refused: anchors, aliases and tags, a key twice in one mapping, keys that are no
 * scalars, several documents, invalid UTF-8, zero bytes, and what is over the limits below.
 */
#define YAML_BYTES (1u << 20)
#define YAML_DEPTH 32
#define YAML_NODES 100000

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
	enum yaml_kind kind;
	bool quoted;        /* a scalar in quotes, or a block of text: never "nothing" */
	int line, column;   /* from 1, where it begins */
	struct span text;   /* a scalar's, with a NUL behind it */
	struct yaml *key;   /* of a value in a mapping: a scalar with its own place */
	struct yaml *first; /* of a list or mapping: its values, in their order */
	struct yaml *next;
	size_t n;
};

/*
 * Read text; name is for the errors: "NAME:LINE:COLUMN: sentence". *ret and all below it lives in mem, and is NULL
 * when there is nothing but blanks and comments.
 */
int yaml_read(const char *name, struct span text, struct arena *mem, struct yaml **ret, struct err *e);

/* The value of a key, or NULL; also when map is NULL or no mapping. */
struct yaml *yaml_get(const struct yaml *map, const char *key);
/* Nothing was written (`key:`, `key: ~`, `key: null`). */
bool yaml_is_nothing(const struct yaml *v);
/* An error about v, with its place in front. */
int yaml_err(const char *name, const struct yaml *v, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
#endif
