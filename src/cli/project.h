#ifndef CLI_PROJECT_H
#define CLI_PROJECT_H

#include "base/arena.h"

/* What a folder shows of the project in it, by looking at its files. */

#define PROJECT_CALLS 8

struct project_call { /* a line of a pipeline that calls go, and is not watched yet */
	const char *file;
	int line;
	const char *text;
	size_t at; /* in text: where the command begins; SPAN_NONE: a pipeline or list, for people to cut */
};

struct project {
	const char *module;      /* may be NULL */
	const char *base_branch; /* may be NULL */
	const char *ci;          /* "GitHub Actions"; NULL: none was found */
	struct project_call calls[PROJECT_CALLS];
	size_t n_calls;
	size_t more_calls; /* not listed */
	bool watched;      /* a pipeline calls tocsin already */
};

/* dir: an existing folder. Whatever cannot be read is as if it were not there. */
void project_read(struct arena *mem, const char *dir, struct project *ret);
/* The files of CI systems below dir, by name relative to it. */
typedef void project_pipeline_fn(void *ctx, const char *file);
void project_pipelines(const char *dir, project_pipeline_fn *fn, void *ctx);
#endif
