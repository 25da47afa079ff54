#ifndef CHECK_CI_YCI_H
#define CHECK_CI_YCI_H

#include "check/ci/ytree.h"

/* What the readers of CI systems in YAML have in common. */

/* A scalar, or the scalars of a sequence (a line each), run as one text. */
void yci_run(struct lint_file *f, struct ytree *y, const struct ynode *scalar, const struct shell_run *how,
	     struct shell_told *ret);
/* The same of a text that was put together; `${{ … }}` in it is masked. */
void yci_run_text(struct lint_file *f, const struct mapped *text, const struct shell_run *how,
		  struct shell_told *ret);
/*
 * Commands, a scalar or a sequence of them (of sequences, of aliases), put together as runners do: into one script, with an echo of
 * each before it, so that `$?` of the one before is lost. `!reference [job, key]` is looked up in root (NULL: there are none).
 */
void yci_join(struct lint_file *f, struct mapped *ret, struct ytree *y, const struct ynode *commands,
	      const struct ynode *root);
/* Anchors and templates bring the same lines to several jobs: of the findings since `before`, each is kept once. */
void yci_once(struct lint_file *f, size_t before);
/* A mapping of variables that go's commands are given. */
void yci_env(struct lint_file *f, struct ytree *y, const struct ynode *map, struct span unit);

/* Does one of the words (ended by NULL) stand in the text, in any case of letters? */
bool yci_has(struct span text, const char *const *words);
bool yci_says_failure(struct span text);  /* it speaks of something that went wrong */
bool yci_says_announce(struct span text); /* or of a release, a deployment, a success */
/* Something that is known to fail at times: the next go, an experiment, a benchmark. */
bool yci_is_tryout(struct span name);
/* A file of results, that is wanted most when tests fail. */
bool yci_is_report(struct span name);

/* An action, orb or plugin that sends alerts: "slackapi/slack-github-action@v2", "plugins/slack". */
bool yci_alert_action(const struct lint_file *f, struct span name);
/* One that runs a watched command: which ("golangci-lint run"); absent: none. */
struct span yci_go_action(struct span name);

/* The name of the first secret in the text (`secrets.NAME`), but GITHUB_TOKEN, which every run has; absent: none. */
struct span yci_secret_in(struct span text);

/* The bytes of a node, as they stand. */
static inline struct span yci_raw(const struct ytree *y, const struct ynode *n)
{
	return n ? span_head(span_from(y->text, n->from), n->to - n->from) : (struct span){ 0 };
}
/* "KEY: VALUE" as it stands, on one line; for messages. */
struct span yci_pair(struct lint_file *f, struct ytree *y, const struct ynode *value);
/* A line put above the key of `value` (in a block mapping), at its column. false: cannot be. */
bool yci_line_above(struct lint_file *f, const struct ytree *y, const struct ynode *value,
		    struct lint_finding *x, bool safe, const char *line);

void github_check(struct lint_file *f);
void github_join(struct lint_join *j);
void gitlab_check(struct lint_file *f);
void drone_check(struct lint_file *f); /* and Woodpecker */
void gitee_check(struct lint_file *f);
void yunxiao_check(struct lint_file *f);
#endif
