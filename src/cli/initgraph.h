#ifndef CLI_INITGRAPH_H
#define CLI_INITGRAPH_H

#include "check/initgraph.h"
#include "cli/say.h"

/* The packages of programs, and the order in which Go initialises them: as text, for Graphviz, as a picture. */
void initgraph_text(struct init_graph *g, const struct term *t,
		    struct buf *ret); /* asks for the order of each program */
void initgraph_dot(const struct init_graph *g, struct buf *ret);
/*
 * One SVG that holds all it needs. Our packages stand one by one; those of a module, and the standard library, stand together.
 * Without a script it is complete; with one, what belongs to a package under the pointer stands out.
 */
void initgraph_svg(const struct init_graph *g, struct buf *ret);

/* "2 init functions, 1 variable"; nothing appended: it does nothing. */
void initgraph_does(const struct init_package *p, struct buf *ret);

/* --graph text|dot|svg|FILE: the format by the word or the ending of the name. The exit status. */
struct activation;
int initgraph_show(const struct activation *a, const char *where);
#endif
