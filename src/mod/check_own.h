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

/* One go.mod that is a node of module graphs, as the cache or a folder has it. */
struct summary {
	struct span key;   /* "path version", or a folder */
	bool known;        /* it was there */
	struct span go;    /* absent: not said */
	struct modfile mod;
	struct summary *next;
};
/* A module version in one member's graph. */
struct node {
	struct span key;      /* "path version" */
	struct span path, version;
	bool loaded, loaded_all; /* its go.mod was looked at; and with all that it leads to */
	const struct mod_line *root; /* the requirement in go.mod by which it was reached first */
	const struct mod_line *replace; /* of the main module, that applies; NULL: none */
	struct node *next;    /* in the order of finding */
};
struct picked { /* of one path, the highest version */
	struct node *node;
	const struct mod_line *by; /* the main module's requirement whose go.mod asks for it */
};
struct graph {
	struct arena mem;
	struct map nodes, picked;
	struct node *first, **last;
	size_t n, unknown;   /* nodes whose go.mod would be needed and is not in the cache */
};

struct index { /* of a modfile's lines, by "path version", or path alone */
	struct map replaces, excludes;
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
	struct map members;    /* struct mod_member, by module path */
	struct map required;   /* struct mod_line of any member, by path and by "path version" */
	const struct modfile *heads_of;
	struct span heads[2];  /* what its module and go lines allow */
	size_t n_heads;
	void *last;            /* of said */
	struct map said;       /* how often a rule spoke of a file */
	struct map summaries;
	struct summary *all;
	struct map anywhere;   /* "path version" of all members' graphs and requirements */
	const char *root;      /* the repository */
	bool excludes;         /* a go.mod has an exclude line */
	bool work;             /* it is a workspace */
	bool old;              /* the go that builds is known, and before 1.21 */
	size_t graphs, unknown;
	bool bad;              /* no memory */
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
void check_say_as(struct check *c, enum rule rule, enum severity severity, struct spot at, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
#define VP "%.*s@%.*s" /* path@version, as go writes it */

bool check_go_at_least(const struct check *c, const char *version); /* also when it is not known */
struct span check_go_of(const struct modfile *m); /* "1.16" when there is no go line */
bool check_pruned(const struct modfile *m); /* go 1.17 and newer list all that they need */
/* The replacement in m (NULL: go.work) for path at version, before that of all its versions. NULL: none. */
const struct mod_line *check_replacement(struct check *c, const struct mod_member *m, struct span path, struct span version);
const struct mod_line *check_replaced(struct check *c, const struct mod_member *m, struct span path, struct span version); /* go.work's before m's */
const struct mod_line *check_excluded(struct check *c, const struct mod_member *m, struct span path, struct span version);
bool check_required(struct check *c, struct span path, struct span version); /* by any member; version empty: any */
bool check_again(const struct check *c, const struct mod_member *m); /* go.work names its folder a second time */
bool check_is_member(const struct check *c, struct span path);
char *check_key(struct arena *mem, struct span path, struct span version);
/* Is the vendor folder what go takes, in this mode? dir: the member's, or "." of a workspace. */
bool check_vendored(const struct check *c, const struct mod_member *m);

/* The parts. They add findings; want of memory is c->bad. */
void check_modfile(struct check *c, const struct mod_source *file, const struct modfile *m, bool is_work);
void check_versions(struct check *c, const struct mod_member *m);
void check_go(struct check *c, const struct mod_source *file, const struct modfile *m, bool is_work);
void check_pins(struct check *c);
void check_replaces(struct check *c, const char *dir, const struct mod_source *file, const struct modfile *m, const struct mod_member *member);
void check_work(struct check *c);
void check_vendor(struct check *c);
void check_graph(struct check *c, const struct mod_member *m, struct graph *g); /* makes it, and says what it shows */
void check_graph_free(struct graph *g);
void check_sum(struct check *c, const struct mod_member *m, struct graph *g);
void check_sum_file(struct check *c, const struct mod_source *file); /* of go.work.sum: its form alone */
void check_retracted(struct check *c);
void check_netrc(struct check *c);
const struct summary *check_summary(struct check *c, const struct mod_member *m, const struct node *n);
#endif
