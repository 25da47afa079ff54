#ifndef MODEL_FRAMES_H
#define MODEL_FRAMES_H

#include "base/buf.h"

/*
 * The frames of a stack in a finding's excerpt, by names that outlive edits and releases. Reads what Tocsin writes into
 * excerpts, and stacks as the runtime prints them. Part of the fingerprint, whose version changes when a rule does.
 */
#define FRAMES_MAX 40

struct frame {
	struct span func; /* as printed, without arguments */
	struct span file;
	int section;      /* the goroutine, or the access of a race, that it stands in; from 0 */
	bool own;         /* not runtime, testing, standard library, module cache, vendor */
	bool test;        /* a test function or a closure of one */
	bool in_test;     /* its file is a _test.go */
};

/* Every frame of the excerpt's stacks but wrappers and creators; panic( and what stands above it is left out. */
size_t frames_read(struct span excerpt, struct frame ret[FRAMES_MAX]);
/* "example.com/m.(*T[...]).Run.func"; of package main with the file's name, for every program has a main.main. */
void frame_name(const struct frame *f, struct buf *ret);
bool frame_is_own(struct span func, struct span file);
#endif
