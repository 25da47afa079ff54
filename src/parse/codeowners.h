#ifndef PARSE_CODEOWNERS_H
#define PARSE_CODEOWNERS_H

#include "base/arena.h"
#include "base/err.h"

/*
 * CODEOWNERS: who answers for a file. The rules of each forge, and where they are written down:
 *
 * GitHub (docs.github.com, "About code owners"; the pattern rules are those of gitignore(5) but for what it excepts):
 *   - the last matching line of the file counts; a line without owners says that nobody owns it;
 *   - a pattern with a slash at its beginning or middle starts at the top, any other matches at every depth; one that
 *     names a directory, with or without a slash at its end, covers all below it, but a last "*" covers only one level;
 *   - "*" and "?" stop at slashes, "**" as a whole element is any number of directories, "\" escapes ("\ " a blank);
 *   - "!", "[", "]", a leading "\#" and "***" are errors, as is a word that is no @user, @org/team or mail address:
 *     such a line is skipped; "#" after a blank begins a comment; a file over 3 MB is not read.
 * GitLab (docs.gitlab.com, "Syntax of CODEOWNERS file", "Advanced CODEOWNERS configuration"; patterns are those of
 * Ruby's File.fnmatch with FNM_PATHNAME and FNM_DOTMATCH):
 *   - "[Name]", "^[Optional]", "[Name][2]" begin a section, with default owners behind them for lines without any;
 *     names are the same in any case, sections of one name are one; lines before the first are a section of their own;
 *   - every section gives the owners of its last matching line, unless one of its "!pattern" lines matches, wherever;
 *   - a pattern without a slash at its beginning matches at every depth; only one with a slash at its end covers what
 *     is below a directory; "**" before a slash is any number of directories, "[a-z]", "[!a]", "\#" and "\ " work;
 *   - owners are @user, @group/subgroup, mail addresses and the roles @@developer, @@maintainer, @@owner (or plural);
 *     other words are passed over; there are no comments at the end of a line (an @name in one is an owner);
 *   - a line that nobody owns matches all the same.
 */
enum codeowners_dialect { CODEOWNERS_AUTO /* GitLab when there are sections */, CODEOWNERS_GITHUB, CODEOWNERS_GITLAB };

#define CODEOWNERS_MAX       (3u << 20) /* bytes of a file */
#define CODEOWNERS_NOTES_MAX 50
#define CODEOWNERS_HITS_MAX  50 /* owners of one file */

enum codeowners_why {
	CO_NEGATED, CO_BRACKETS, CO_HASH, CO_STARS, CO_OWNER, CO_NOTHING, CO_TEXT, CO_LONG, CO_UNOWNED, CO_SECTION, CO_NAMELESS,
	CO_WHY_COUNT,
};

struct codeowners_note { /* a line that is not what its writer meant */
	int line;
	enum codeowners_why why;
};

struct codeowners_rule {
	struct span pattern; /* from the top, without the first slash; elements as fnmatch has them */
	bool below;          /* what is below a match is matched too */
	bool exclude;
	int line;
	size_t section, first_owner, n_owners;
};

struct codeowners {
	struct arena mem;
	enum codeowners_dialect dialect; /* never AUTO once read */
	struct codeowners_rule *rules;
	size_t n_rules, cap_rules;
	struct span *owners;
	size_t n_owners, cap_owners;
	size_t n_sections;
	struct codeowners_note notes[CODEOWNERS_NOTES_MAX];
	size_t n_notes, notes_dropped;
};

struct codeowners_hits {
	struct span owner[CODEOWNERS_HITS_MAX]; /* in the codeowners; each once, in the order of the file */
	size_t n;
	int line; /* of the first rule that gave them, else of one that says that nobody does; 0: no rule matched */
};

/* An error: no memory, or larger than CODEOWNERS_MAX. ret is to be freed either way. */
int codeowners_parse(struct span text, enum codeowners_dialect d, struct codeowners *ret, struct err *e);
/*
 * path: from the top, no slash first. The time is bounded by the lengths of pattern times path for each rule, and by
 * a count of steps for all: an error says that the patterns are out of proportion.
 */
int codeowners_match(const struct codeowners *co, struct span path, struct codeowners_hits *ret, struct err *e);
const char *codeowners_why(enum codeowners_why w); /* one sentence without a full stop */
void codeowners_free(struct codeowners *co);
void codeowners_free_cleanup(struct codeowners *co);

/* One element of a path against one of a pattern; brackets: "[a-z]" is a set. Exposed for the tests. */
bool codeowners_element(struct span pattern, struct span name, bool brackets, long *steps);
#endif
