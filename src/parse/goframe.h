#ifndef PARSE_GOFRAME_H
#define PARSE_GOFRAME_H

#include "base/span.h"

/* The lines of a Go traceback, one by one. Stateless; spans point into the line. */
struct goheader { /* "goroutine 7 gp=0x… m=0 mp=0x… [chan receive (nil chan), 3 minutes, locked to thread] {k: v}:" */
	int64_t id;
	struct span status;   /* "chan receive (nil chan)": without what is said apart below */
	struct span whole;    /* all between the brackets */
	int minutes;          /* 0: less than one, or not said */
	bool locked, leaked, scan, durable;
	int64_t bubble;       /* synctest; 0: none */
	struct span labels;   /* between the braces; absent: none */
};
bool goheader_read(struct span line, struct goheader *ret);

/* The length of a function's name, up to the first '(' that does not follow a '.', brackets whole. 0: it is none. */
size_t goframe_func_length(struct span line);
/* The same for where a function must stand, however odd its arguments or type parameters look. */
size_t goframe_odd_length(struct span line);

/* "/p/f.go:12 +0x1d fp=0x…", without the TAB: "/p/f.go:12". Absent: it is none. */
struct span goframe_place(struct span s);
/* "/p/f.go:12": the file; *line is its line. Absent: it is none. The last colon counts. */
struct span goframe_file(struct span place, int *line);

/* "created by F in goroutine 7", without "created by ": F; *id is 0 when it is not said. */
struct span goframe_creator(struct span s, int64_t *id);
/* "...23 frames elided...", "...additional frames elided...": how many, 1 when it is not said; 0: it is none. */
int64_t goframe_elided(struct span line);
#endif
