#ifndef CLI_FLAME_H
#define CLI_FLAME_H

#include "cli/say.h"
#include "diagnose/profile.h"

/* A call tree as a picture. */
struct flame {
	const struct profile_tree *tree;
	const char *title, *note; /* foreign text is fine */
	struct span unit;
	bool compared;            /* red grew, blue shrank */
};
/*
 * One SVG that holds all it needs: the frames stand in it, so that it shows without a script; with one it zooms, searches,
 * and is driven by keys. Frames narrower than a twelve-thousandth of all are left out.
 */
void flame_svg(const struct flame *f, struct buf *ret);
/* The larger branches as lines with bars, within the width of the terminal. */
void flame_text(const struct flame *f, const struct term *t, struct buf *ret);
#endif
