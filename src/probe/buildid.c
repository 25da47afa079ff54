#include "base/mem.h"
#include "probe/own.h"

/* Go's build ID, and the one that the system's linker or debugger goes by. */

#define GO_BEGIN "\xff Go build ID: \""
#define GO_END   "\"\n \xff"

enum { NOTE_GNU_BUILD_ID = 3, NOTE_GO_BUILD_ID = 4 };

static void take_note(struct reading *r, uint32_t type, const char *name, uint32_t n_name,
		      const unsigned char *body, uint32_t n)
{
	if (type == NOTE_GO_BUILD_ID && n_name == 4 && memcmp(name, "Go\0\0", 4) == 0) {
		r->p->build_id = (struct span){ (const char *)body, n };
		r->p->go = true;
	} else if (type == NOTE_GNU_BUILD_ID && n_name == 4 && memcmp(name, "GNU", 4) == 0 && n <= 64) {
		char *hex = reading_room(r, 2 * (uint64_t)n + 1, 1);
		if (hex) {
			hex_lower(body, n, hex);
			r->p->link_id = (struct span){ hex, 2 * (size_t)n };
		}
	}
}

static void walk_notes(struct reading *r, const struct region *in)
{
	const unsigned char *t = image_file(r->m, in->at, in->filed);

	for (uint64_t at = 0; t && in->filed - at >= 12;) {
		uint32_t n_name = rd32(r->m, t + at), n = rd32(r->m, t + at + 4),
			 type = rd32(r->m, t + at + 8);
		uint64_t name = at + 12, body = name + (((uint64_t)n_name + 3) & ~3ull),
			 next = body + (((uint64_t)n + 3) & ~3ull);
		if (body > in->filed || n > in->filed - body)
			return;
		take_note(r, type, (const char *)t + name, n_name, t + body, n);
		if (next > in->filed)
			return;
		at = next;
	}
}

/* Without notes it stands in the first instructions of the text. */
static void find_in_text(struct reading *r)
{
	const struct region *in = &r->m->sect[SECT_TEXT];
	uint64_t n = in->filed < 32768 ? in->filed : 32768;
	const unsigned char *t = n ? image_file(r->m, in->at, n) : NULL;
	const unsigned char *b = t ? memmem(t, n, GO_BEGIN, sizeof(GO_BEGIN) - 1) : NULL;

	if (!b)
		return;
	b += sizeof(GO_BEGIN) - 1;
	const unsigned char *end = memmem(b, n - (uint64_t)(b - t), GO_END, sizeof(GO_END) - 1);
	if (end) {
		r->p->build_id = (struct span){ (const char *)b, (size_t)(end - b) };
		r->p->go = true;
	}
}

void read_build_id(struct reading *r)
{
	for (size_t i = 0; i < r->m->n_notes; i++)
		walk_notes(r, &r->m->notes[i]);
	if (!r->p->build_id.n)
		find_in_text(r);
}
