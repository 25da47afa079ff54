#ifndef MOD_CHECK_OWN_H
#define MOD_CHECK_OWN_H

#include "base/map.h"
#include "mod/check.h"

enum rule {
#define RULE(name, id, severity, cause, what_en, what_zh, fix_en, fix_zh) RULE_##name,
#include "mod/check_rules.def"
#undef RULE
	RULES,
};

/*
 * Module paths and versions are looked up once, where they are read; what is known of them, and what they are to the member
 * that is being checked, stands in them.
 */
struct name { /* a module path */
	struct span path;
	const struct mod_member *member; /* the last one of this name */
	bool required;                   /* by any member */
	bool asked;                      /* for its newest version: */
	struct span newest;
	const struct modfile *newest_mod; /* its go.mod; NULL: not known */
	/* Of the member whose number this is: */
	size_t of;
	const struct mod_line *required_by; /* its first requirement */
	struct unit *picked;             /* the highest version in its graph; NULL: not in it */
	const struct mod_line *by;       /* the requirement whose go.mod asks for that */
};
struct want { /* a line of go.sum */
	bool made;                 /* it may be there */
	const struct mod_line *by; /* the requirement that wants it; NULL: none */
	enum severity severity;
	bool fine;                 /* go.mod names it: whether go needs the line or not, it is not left over */
	bool unneeded;             /* of a version that is not built: only its go.mod counts */
	struct span hash;
	int64_t line;              /* 0: not seen */
};
enum { WANT_ZIP, WANT_MOD, WANTS };
struct unit { /* a module version */
	struct span key;           /* "path version", of which these are parts */
	struct span path, version;
	struct name *name;
	struct summary *cached;    /* its go.mod in the module cache; NULL: not looked for */
	bool required;             /* by any member */
	bool anywhere;             /* in any member's graph */
	/* Of the member whose number this is: */
	size_t of;
	bool in_graph;
	bool loaded, loaded_all;   /* its go.mod was looked at; and with all that it leads to */
	const struct mod_line *root;    /* the requirement by which it was reached first */
	const struct mod_line *replace; /* that applies; NULL: none */
	struct unit *next;         /* in the order of finding */
	struct want want[WANTS];
};
/* One go.mod that is a node of module graphs, as the cache or a folder has it. */
struct summary {
	bool known;                /* it was there */
	bool pruned;
	struct span go;            /* absent: not said */
	struct modfile mod;
	struct unit **requires;
	size_t n;
	struct summary *next;
};
struct graph {
	struct unit *first, **last;
	size_t n, unknown;   /* nodes whose go.mod would be needed and is not in the cache */
	bool pruned;         /* the member's go.mod lists all that it needs */
};

struct index { /* of a modfile's lines, by "path version", or path alone */
	struct map replaces, excludes;
	struct unit **require; /* by the number of the line; NULL for those of other verbs */
	bool again; /* of a member that stood in go.work before */
};
struct check {
	struct mod_check *o;
	struct mod_tree *t;
	struct report *r;
	struct arena mem;
	struct buf key;
	struct index *index, work_index;
	struct map work_paths; /* what go.work replaces, by path */
	struct map names, units;
	size_t now;            /* the number of the member that is being checked, from 1 */
	const struct modfile *heads_of;
	struct span heads[2];  /* what its module and go lines allow */
	size_t n_heads;
	void *last;            /* of said */
	struct map said;       /* how often a rule spoke of a file */
	struct map folders;    /* struct summary, by folder */
	struct summary *all;
	const char *root;      /* the repository */
	bool excludes;         /* a go.mod has an exclude line */
	bool work;             /* it is a workspace */
	bool old;              /* the go that builds is known, and before 1.21 */
	bool vendored;         /* the workspace */
	size_t graphs, unknown;
	bool bad;              /* no memory, or: */
	int reading;           /* what reading a large go.sum ended with */
	struct err err;
};
/* Where: file is needed; l (or line and column) and mod, whose comments may allow it, may be absent. */
struct spot {
	const struct mod_source *file;
	const struct modfile *mod;
	const struct mod_line *l;
	int64_t line;
	int column; /* 0 and l: where l begins */
};
void check_say(struct check *c, enum rule rule, struct spot at, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void check_say_as(struct check *c, enum rule rule, enum severity severity, struct spot at, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
#define VP "%.*s@%.*s" /* path@version, as go writes it */

bool check_go_at_least(const struct check *c, const char *version); /* also when it is not known */
struct span check_go_of(const struct modfile *m); /* "1.16" when there is no go line */
bool check_pruned(const struct modfile *m); /* go 1.17 and newer list all that they need */
/* The replacement in m (NULL: go.work) for path at version, before that of all its versions. NULL: none. */
const struct mod_line *check_replacement(struct check *c, const struct mod_member *m, struct span path, struct span version);
const struct mod_line *check_replaced(struct check *c, const struct mod_member *m, struct span path,
				      struct span version); /* go.work's before m's */
const struct mod_line *check_excluded(struct check *c, const struct mod_member *m, struct span path, struct span version);
bool check_again(const struct check *c, const struct mod_member *m); /* go.work names its folder a second time */
char *check_key(struct arena *mem, struct span path, struct span version);
/* Made if there is none; NULL: no memory, which is noted. */
struct name *check_name(struct check *c, struct span path);
struct unit *check_unit(struct check *c, struct span path, struct span version);
struct unit *check_known(struct check *c, struct span path, struct span version); /* NULL: nobody spoke of it */
/* By any member; version empty: any. */
bool check_required(struct check *c, struct span path, struct span version);
const struct mod_member *check_member_of(const struct check *c, struct span path); /* NULL: it is no member */
struct unit *check_line_unit(const struct check *c, const struct mod_member *m, const struct mod_line *l); /* of a require line of m's */
/* What a name or unit is to the member that is being checked, blank when it is new to it. */
static inline struct name *check_name_now(const struct check *c, struct name *n)
{
	if (n->of != c->now) {
		n->of = c->now;
		n->required_by = n->by = NULL;
		n->picked = NULL;
	}
	return n;
}
static inline struct unit *check_unit_now(const struct check *c, struct unit *u)
{
	if (u->of != c->now) {
		u->of = c->now;
		u->in_graph = u->loaded = u->loaded_all = false;
		u->root = u->replace = NULL;
		u->next = NULL;
		memset(u->want, 0, sizeof(u->want));
	}
	return u;
}
/* Is the vendor folder what go takes, in this mode? dir: the member's, or "." of a workspace. */
bool check_vendored(const struct check *c, const struct mod_member *m);

/* The parts. They add findings; want of memory is c->bad. */
void check_modfile(struct check *c, const struct mod_source *file, const struct modfile *m, bool is_work);
void check_versions(struct check *c, const struct mod_member *m);
void check_go(struct check *c, const struct mod_source *file, const struct modfile *m, bool is_work);
void check_pins(struct check *c);
void check_replaces(struct check *c, const char *dir, const struct mod_source *file, const struct modfile *m,
		    const struct mod_member *member);
void check_work(struct check *c);
void check_vendor(struct check *c);
void check_graph(struct check *c, const struct mod_member *m, struct graph *g); /* makes it, and says what it shows */
void check_sum(struct check *c, const struct mod_member *m, struct graph *g);
void check_sum_file(struct check *c, const struct mod_source *file); /* of go.work.sum: its form alone */
void check_retracted(struct check *c);
void check_netrc(struct check *c);
const struct summary *check_summary(struct check *c, const struct mod_member *m,
				    const struct unit *u); /* as it is, or is replaced; NULL: no memory */
const struct summary *check_cached(struct check *c, struct unit *u);
const struct summary *check_summary_of(struct check *c, struct span text); /* which must live as long as c */
#endif
