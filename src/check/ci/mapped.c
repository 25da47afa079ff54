#include "check/ci/mapped.h"

#include "base/mem.h"

static void piece(struct mapped *m, uint32_t at)
{
	const struct shell_piece *last = m->n ? &m->pieces[m->n - 1] : NULL;

	if (last && last->file_at + (m->text.len - last->text_at) == at)
		return;
	if (!mem_grow(&m->pieces, &m->cap, m->n, sizeof(*m->pieces))) {
		m->bad = m->no_memory = true;
		return;
	}
	m->pieces[m->n++] = (struct shell_piece){ (uint32_t)m->text.len, at };
}

static bool room(struct mapped *m, size_t n)
{
	if (buf_need(&m->text, n))
		return true;
	m->bad = true;
	m->no_memory |= !m->text.max || m->text.len + n <= m->text.max;
	return false;
}

void mapped_add(struct mapped *m, struct span bytes, uint32_t at)
{
	if (!bytes.n)
		return;
	piece(m, at);
	if (room(m, bytes.n))
		buf_span(&m->text, bytes);
}

void mapped_as(struct mapped *m, struct span bytes, uint32_t at, uint32_t n)
{
	/* In portions of n bytes, so that none is found behind the place. */
	for (struct span part; bytes.n && !m->bad; bytes = span_from(bytes, part.n)) {
		part = n ? span_head(bytes, n) : bytes;
		mapped_add(m, part, at);
	}
}

void mapped_mask(struct mapped *m, char c, uint32_t at, uint32_t n)
{
	if (!n)
		return;
	piece(m, at);
	if (room(m, n)) {
		memset(m->text.p + m->text.len, c, n);
		m->text.len += n;
		m->text.p[m->text.len] = 0;
	}
}

struct span mapped_keep(struct lint_file *f, const struct mapped *m)
{
	struct span copy = m->text.len ? arena_span(f->scratch, buf_view(&m->text)) : S("");

	f->bad |= !copy.p || m->no_memory;
	return copy.p ? copy : S("");
}

void mapped_clear(struct mapped *m)
{
	buf_clear(&m->text);
	m->n = 0;
	m->bad = m->no_memory = false;
}

void mapped_free(struct mapped *m)
{
	buf_free(&m->text);
	mem_free(m->pieces);
	*m = (struct mapped){ 0 };
}

void mapped_free_cleanup(struct mapped *m)
{
	mapped_free(m);
}
