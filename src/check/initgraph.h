#ifndef CHECK_INITGRAPH_H
#define CHECK_INITGRAPH_H

#include "check/select.h"

/*
 * The packages of a program, what each imports, and the order in which Go initialises them; from source alone: the tree, its
 * vendor folder, the module cache, and the library of the Go that builds.
 */
enum init_origin { INIT_OWN, INIT_MODULE, INIT_STD };
enum init_work {               /* what a package does when it is initialised */
		 INIT_NOTHING, /* no init function, and variables that the compiler can lay out */
		 INIT_UNSURE, /* only the compiler knows whether a variable needs code; or its source could not be read */
		 INIT_RUNS,
};
struct init_package {
	const char *path;   /* import path; "vendor/x" inside of the standard library */
	const char *symbol; /* as the linker sorts it */
	const char *module; /* "path@version"; NULL: own or standard */
	const char *dir;    /* absolute; NULL: it was not found */
	enum init_origin origin;
	enum init_work work;
	int functions, variables;   /* init functions; variables that need code */
	bool program;               /* a main package */
	size_t *imports, n_imports; /* in the order in which the compiler meets them, each once */
	size_t level;               /* the longest way from a program */
	size_t turn;                /* from 1; SIZE_MAX: it is not in the order */
	bool task; /* it takes part in the order: it, or something below it, does something */
};
struct init_graph {
	struct arena mem;
	const char *target;  /* "linux/amd64" */
	const char *version; /* "1.26.8" */
	bool by_name; /* 1.21 and newer: of those that are ready the first by name; else depth-first in import order */
	struct init_package *v;
	size_t n, cap;
	size_t *programs, n_programs;
	size_t *order,
		n_order; /* of the one program: packages of which work is not INIT_NOTHING, and those that only wait are left out */
	size_t edges;
	struct list limits;
	struct map by_path;
};
#define INIT_PACKAGES_MAX 20000
/*
 * sel: a selection of a tree read in any way; its listed main packages are the programs. env: for GOROOT and the module cache.
 * -ENOENT: there is no program, or no library of Go; -EFBIG: too many packages; -ENOMEM.
 */
int init_graph_make(const struct selection *sel, const struct target_env *env, struct init_graph *ret,
		    struct err *e);
/* The order for one program of the graph; of another before, it is forgotten. -ENOMEM; -ELOOP: packages import each other. */
int init_graph_order(struct init_graph *g, size_t program, struct err *e);
void init_graph_free(struct init_graph *g);
void init_graph_free_cleanup(struct init_graph *g);
#endif
