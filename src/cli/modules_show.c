/* The progress of a download: one line on a terminal, now and then a line elsewhere. */
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/modules.h"

#define DRAW_NSEC (200 * NSEC_PER_MSEC)
#define FIRST_NSEC (NSEC_PER_SEC / 2) /* what is faster needs no line */
#define SAY_NSEC (30 * NSEC_PER_SEC)
#define WAIT_NSEC (3 * NSEC_PER_SEC)  /* who is silent for longer is named */

/* Of an address that has no room its end: that is the module and its version. */
static void put_end(struct span url, size_t room, struct buf *b)
{
	if (text_width(url) <= room) {
		buf_span(b, url);
		return;
	}
	while (url.n && (text_width(url) + 1 > room || ((unsigned char)*url.p & 0xc0) == 0x80))
		url = span_from(url, 1);
	buf_adds(b, "…");
	buf_span(b, url);
}

static void progress(const struct modules *m, int64_t now, size_t width, struct buf *b)
{
	const struct fetches *f = &m->fetches;
	const struct fetch *x = fetches_oldest(f);
	int64_t bytes = f->bytes, done = (int64_t)f->n_served + (m->told.cached > 0 ? m->told.cached : 0);
	char took[24];

	for (size_t i = 0; i < f->n_open; i++)
		bytes += f->open[i]->bytes;
	if (m->told.wanted > 0 && done <= m->told.wanted)
		buf_addf(b, TR("modules %lld of %lld", "模块 %lld/%lld"), (long long)done, (long long)m->told.wanted);
	else
		buf_addf(b, TR("modules %lld", "模块 %lld"), (long long)done);
	buf_addf(b, ", %.1f MiB", (double)bytes / (1 << 20));
	if (!x || now - x->moved < WAIT_NSEC)
		return;
	CLEANUP(buf_free) struct buf url = { 0 };
	mirror_shown(span_of(x->url), &url);
	duration_text(now - x->moved, took);
	buf_addf(b, TR("; silent for %s: ", "；已 %s 无数据："), took);
	size_t used = text_width(buf_view(b));
	put_end(buf_view(&url), width > used ? width - used : 0, b);
}

void modules_clear(struct session *s)
{
	struct modules *m = s->mods;

	if (!m || !m->shown)
		return;
	m->shown = false;
	term_put(&s->view.err, S("\r\033[K"));
}

void modules_tick(struct session *s, int64_t now)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf clean = { 0 };
	CLEANUP(buf_free) struct buf line = { 0 };
	struct modules *m = s->mods;
	struct term *t = &s->view.err;

	if (!m->filter || s->format->quiet || now - m->said < FIRST_NSEC)
		return;
	if (now - m->drawn < (t->tty ? DRAW_NSEC : SAY_NSEC) || (!t->tty && now - m->said < SAY_NSEC))
		return;
	m->drawn = now;
	fetches_look(&m->fetches, now);
	progress(m, now, t->tty ? (t->width > 1 ? t->width - 1 : 79) : SIZE_MAX, &text);
	redact_text(s->redact, buf_view(&text), &clean);
	if (!t->tty) {
		view_say(&s->view, buf_str(&clean));
		return;
	}
	buf_adds(&line, "\r\033[K");
	say_clean(&line, text_fit(buf_view(&clean), t->width > 1 ? t->width - 1 : 79));
	term_put(t, buf_view(&line));
	m->shown = true;
}
