#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

/* Writing. Commas and quotes are its business; invalid UTF-8 becomes U+FFFD, control bytes \u00XX. */
struct json_out {
	struct buf *to;
	bool comma; /* the next value needs one */
};
void json_open(struct json_out *j, char bracket);  /* '{' or '[' */
void json_close(struct json_out *j, char bracket); /* '}' or ']' */
void json_key(struct json_out *j, const char *key);
void json_str(struct json_out *j, struct span s);  /* an absent span is null */
void json_strz(struct json_out *j, const char *z); /* NULL is null */
void json_int(struct json_out *j, int64_t v);
void json_num(struct json_out *j, double v);
void json_bool(struct json_out *j, bool v);
void json_null(struct json_out *j);

/* The same with its key in front: a member of an object. */
static inline void json_member_str(struct json_out *j, const char *key, struct span s)
{
	json_key(j, key);
	json_str(j, s);
}
static inline void json_member_strz(struct json_out *j, const char *key, const char *z)
{
	json_key(j, key);
	json_strz(j, z);
}
static inline void json_member_int(struct json_out *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_int(j, v);
}
static inline void json_member_num(struct json_out *j, const char *key, double v)
{
	json_key(j, key);
	json_num(j, v);
}
static inline void json_member_bool(struct json_out *j, const char *key, bool v)
{
	json_key(j, key);
	json_bool(j, v);
}
static inline void json_member_open(struct json_out *j, const char *key, char bracket)
{
	json_key(j, key);
	json_open(j, bracket);
}

/* Append the text of a JSON string body (without its quotes) to ret. False: a broken escape (kept as it is). */
bool json_unescape(struct span body, struct buf *ret);

/*
 * A pull reader over a whole text in memory. Depth is bounded (64). Errors name the byte.
 *   struct json_in j = { .text = text };
 *   while ((t = json_next(&j)) > JSON_END) …
 */
enum json_tok {
	JSON_BAD = -1, JSON_END, JSON_OBJ, JSON_OBJ_END, JSON_ARR, JSON_ARR_END,
	JSON_KEY, JSON_STR, JSON_NUM, JSON_TRUE, JSON_FALSE, JSON_NULL,
};
struct json_in {
	struct span text;
	size_t at;
	struct span value; /* of a key or string: the raw body; of a number: its digits */
	int depth;
	unsigned char stack[64];
	bool after_value, after_key, after_comma;
};
enum json_tok json_next(struct json_in *j);
/* After JSON_OBJ or JSON_ARR was just returned: step over all of it. */
bool json_skip(struct json_in *j);
/*
 * The value at a dotted path of object keys ("pull_request.number") of a whole text: raw body of a
 * string, or the literal. False: not there or broken.
 */
bool json_find(struct span text, const char *path, struct span *ret);
#endif
