#ifndef CHECK_CI_SHELL_H
#define CHECK_CI_SHELL_H

#include "check/lint_own.h"

/*
 * A piece of shell, wherever it stands: a script, a step of a workflow, a line of a recipe. Whoever reads the file around it says how
 * it is run (reference: which shell really runs); the S, K and W rules are the same for all.
 */
enum shell_kind {
	SHELL_BASH,
	SHELL_SH, /* whatever /bin/sh is: dash on Debian, busybox on Alpine */
	SHELL_PWSH,
	SHELL_CMD,
	SHELL_OTHER, /* python and others: no shell rule holds */
};
enum shell_flag { SHELL_OFF, SHELL_ON, SHELL_MAYBE /* depends on the machine: no finding may rest on it */ };
enum shell_place {
	SHELL_FILE,         /* a script of its own */
	SHELL_GITHUB,       /* a `run:` of GitHub Actions (and Gitea, Forgejo) */
	SHELL_GITLAB,       /* before_script and script, joined */
	SHELL_GITLAB_AFTER, /* after_script */
	SHELL_JENKINS,
	SHELL_MAKE,   /* a recipe line, or a whole recipe under .ONESHELL */
	SHELL_DOCKER, /* RUN */
	SHELL_TASK,   /* a cmd of a Taskfile */
	SHELL_SYSTEMD,
	SHELL_CRON,
	SHELL_CI, /* another CI system's step */
	SHELL_PLACES,
};
/* From bytes of the text to bytes of the file: text[text_at…] stands at file[file_at…] up to the next piece. */
struct shell_piece {
	uint32_t text_at, file_at;
};
/*
 * Where a place has rules of its own for what loses a status (a recipe: M03, RUN: D01), they are said instead of the shell's. The
 * texts are the same for all: {0} the watched command, {1} what loses its status, {2} the line of that.
 */
struct shell_as {
	enum rule_id rule, instead;
};
struct shell_run {
	enum shell_kind shell;
	enum shell_place place;
	enum shell_flag errexit, pipefail, xtrace;
	struct span cwd;                  /* relative to the root: where commands run; "": the root */
	struct span unit;                 /* the unit that this text belongs to; absent: none */
	const struct shell_piece *pieces; /* n 0: text is the file's own text, byte by byte */
	size_t n_pieces;
	bool ignored; /* the runner ignores the status already, and another rule says so */
	const struct shell_as *as;
	size_t n_as;
};
/* What was in it, for the rules around it (an alert job, a test job). */
struct shell_told {
	bool watched;       /* a watched command of go stands in it */
	bool alerts;        /* something is sent: curl to a webhook, a mail, tocsin alert */
	bool fails;         /* it can end with a status of its own: exit 1, false */
	struct span *units; /* that it leads to, in scratch memory */
	size_t n_units;
	uint32_t from, to; /* of the first watched command, in the file */
};
/* `${{ … }}` and the like are to be masked by the caller with bytes of equal number (shell_mask). */
void shell_check(struct lint_file *f, struct span text, const struct shell_run *how, struct shell_told *ret);
/* A copy in scratch memory in which templates `${{ … }}` are `_`. */
struct span shell_mask(struct lint_file *f, struct span text);
/* A variable that is set for go commands elsewhere (`env:` of a workflow, ENV of a Dockerfile): K01, K07, K08, K11. */
void shell_check_env(struct lint_file *f, struct span name, struct span value, uint32_t from, uint32_t to,
		     struct span unit);
/*
 * Units are named "make:DIR:TARGET" (TARGET empty: `make` alone), "task:DIR:NAME", "script:PATH"; paths relative to the root. The c of
 * a FACT_GO is "*" where the folder is not known.
 */
uint32_t shell_in_file(const struct shell_run *how, uint32_t text_at);
#endif
