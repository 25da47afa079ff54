/* What several files say together, for `tocsin explain`. */
#include <sys/stat.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/explain.h"
#include "cli/markdown.h"

int64_t explain_file_time(const char *name)
{
	struct stat st;

	if (stat(name, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

void explain_name(const char *path, const char *which, struct buf *ret)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
	size_t n = strlen(path);

	if (n > 6 && strcmp(path + n - 6, ".pb.gz") == 0)
		dot = path + n - 6;
	if (!dot || dot == name)
		dot = path + n;
	buf_add(ret, path, (size_t)(dot - path));
	buf_addf(ret, "-%s%s", which, dot);
}

void relations_text(const struct relation *v, size_t n, const struct term *t, struct buf *b)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_free) struct buf clean = { 0 };

		say_clean(&clean, span_of(v[i].text));
		buf_adds(b, "  ");
		say_paint(b, t, PAINT_CYAN, "·");
		buf_addc(b, ' ');
		say_wrap(b, buf_view(&clean), 4, 4, t->tty ? t->width : 120);
		buf_addc(b, '\n');
	}
}

void relations_markdown(const struct relation *v, size_t n, struct buf *b)
{
	for (size_t i = 0; i < n; i++) {
		buf_adds(b, i ? "- " : "\n- ");
		md_text(b, span_of(v[i].text));
		buf_addc(b, '\n');
	}
}

void relations_json(const struct relation *v, size_t n, struct json_out *j)
{
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		json_member_strz(j, "kind", v[i].word);
		json_member_open(j, "files", '[');
		json_strz(j, v[i].files[0]);
		json_strz(j, v[i].files[1]);
		json_close(j, ']');
		json_member_strz(j, "text", v[i].text);
		json_key(j, "goroutine");
		if (v[i].goroutine)
			json_int(j, v[i].goroutine);
		else
			json_null(j);
		json_member_str(j, "function", v[i].function);
		json_key(j, "gap_ns");
		if (v[i].timed)
			json_int(j, v[i].gap);
		else
			json_null(j);
		json_close(j, '}');
	}
	json_close(j, ']');
}
