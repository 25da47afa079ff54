#ifndef CLI_ALERT_PICTURE_H
#define CLI_ALERT_PICTURE_H

#include "alert/channel.h"
#include "cli/say.h"

/* Where and how it is drawn. */
struct picture_frame {
	const struct term *term;
	enum paint paint;   /* of the frame */
	const char *name;   /* in the frame: clean */
	size_t width;       /* set by picture_draw */
};
/* The message that the request is, as its reader sees it. Appends whole lines. */
void picture_draw(const struct picture_frame *frame, const char *type, const struct request *q, const struct alert *a, enum lang lang, struct buf *ret);
#endif
