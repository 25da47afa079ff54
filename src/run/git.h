#ifndef RUN_GIT_H
#define RUN_GIT_H

#include "base/arena.h"
#include "base/buf.h"

/*
 * What git knows. A repository's own configuration is not trusted: no program that it names is run (hooks, fsmonitor,
 * filters, text conversion, pagers, signature checkers), and nothing is fetched. What git is asked ends at a deadline.
 * Strings live in the arena; those from the repository are hostile.
 */

struct git_where {
	const char *top;    /* of the working tree, absolute, links followed; NULL: there is none (bare) */
	const char *dir;    /* git's own folder of this working tree, */
	const char *common; /* and of the repository */
	const char *branch; /* NULL: detached */
	const char *commit; /* 40 or 64 hexadecimal digits; NULL: no commit yet, or not known */
	const char *remote; /* origin's URL without credentials; NULL: none */
	const char *base;   /* the default branch: origin/HEAD, else main or master, if they exist; NULL: not known */
	bool shallow;       /* the history is cut off */
};
/* From git's files, at or above dir; only a repository with reftable is asked through git. -ENOENT: none there. */
int git_where(const char *dir, struct arena *mem, struct git_where *ret, struct err *e);

/*
 * The state of the working tree against HEAD: 0: clean; else a number for exactly these changes: what git says of each
 * file (untracked ones too, ignored ones not; of a submodule only its commit), its size and the time of its change.
 * skip (NULL-terminated, may be NULL): files of our own that do not count. An error: it is not known, because git failed or
 * took over a second, or a file was changed at or after `since` (wall time of the run's start; -EBUSY).
 */
int git_tree_state(const char *top, int64_t since, const char *const *skip, uint64_t *ret, struct err *e);

enum blame_state {
	BLAME_COMMIT,        /* all fields are set */
	BLAME_SHALLOW,       /* the same, but the history is cut off there: whoever wrote it, it was this commit or before */
	BLAME_NOT_COMMITTED, /* the line is new in the working tree; no field is set, and so below */
	BLAME_UNTRACKED,     /* git does not know the file (or has no commit yet) */
	BLAME_NO_LINE,       /* the file has no such line */
};
struct blame {
	enum blame_state state;
	const char *author, *mail, *commit;
	int64_t time; /* of the author, wall */
};
/* file: relative to top. At most 2 s. */
int git_blame(const char *top, const char *file, int line, struct arena *mem, struct blame *ret, struct err *e);

struct git_commit {
	const char *hash /* shortened */, *subject;
};
struct git_range {
	bool ancestor;  /* good is an ancestor of bad, or the same */
	int64_t count;  /* commits in bad's history that are not in good's */
	struct git_commit *commits; /* the newest of them */
	size_t n;
};
/* Commits as hexadecimal names. -ENOENT: one of them is not here. At most 3 s. */
int git_range(const char *top, const char *good, const char *bad, size_t max, struct arena *mem, struct git_range *ret, struct err *e);

/* Appends the content of a file (relative to top) in a commit (a hexadecimal name), at most max bytes. -ENOENT: not there. At most 3 s. */
int git_file(const char *top, const char *commit, const char *file, size_t max, struct buf *ret, struct err *e);
/* The newest commit that changed a file (relative to top). NULL: none, or not known. */
const char *git_last_change(const char *top, const char *file, struct arena *mem);

/*
 * When each file below folder (relative to top) came into the repository: the newest commit that added it. Uncommitted ones are not
 * named. -EAGAIN: not known, for the history is cut off. At most 3 s.
 */
typedef int git_added_fn(void *ctx, struct span path /* relative to top */, int64_t at /* of the committer, wall */);
int git_added(const char *top, const char *folder, git_added_fn *fn, void *ctx, struct err *e);

/*
 * The lines of the working tree that are not as in the commit which rev and HEAD have in common, files that git does not know included.
 * fn returns 0, or an error that ends it. At most 30 s.
 */
typedef int git_changed_fn(void *ctx, struct span path /* relative to top */, int from, int to);
int git_changed(const char *top, const char *rev, git_changed_fn *fn, void *ctx, struct err *e);

/* Without user, password and query. s itself when it has none. Absent: no memory. */
struct span git_public_url(struct arena *mem, struct span s);
/* The first value of section.[sub.]key in the text of a configuration; sub may be NULL. NULL: none. */
const char *git_config_value(struct span text, const char *section, const char *sub, const char *key, struct arena *mem);
#endif
