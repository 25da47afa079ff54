/*
 * The bare parse: every .go file of a folder, parsed with the same library at the same flags as `tocsin check`, and nothing else done with
 * the tree. What the lint costs beyond it is its own.
 *
 * usage: lint_parse FOLDER      prints files, bytes and seconds of CPU
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <tree_sitter/api.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"

const TSLanguage *tree_sitter_go(void);

struct totals {
	size_t files, bytes;
};

static void parse(TSParser *parser, const char *path, struct totals *t)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (file_slurp(path, &text, NULL) < 0)
		return;
	TSTree *tree = ts_parser_parse_string(parser, NULL, buf_str(&text), (uint32_t)text.len);
	ts_tree_delete(tree);
	t->files++;
	t->bytes += text.len;
}

/* The folders that the lint passes over are passed over here. */
static bool passed(const char *name)
{
	return *name == '.' || *name == '_' || !strcmp(name, "vendor") || !strcmp(name, "testdata") ||
	       !strcmp(name, "node_modules");
}

static void walk(TSParser *parser, const char *dir, struct totals *t)
{
	DIR *d = opendir(dir);

	for (struct dirent *e; d && (e = readdir(d));) {
		CLEANUP(buf_free) struct buf path = { 0 };
		struct stat s;
		path_join(&path, dir, e->d_name);
		if (*e->d_name == '.' || lstat(buf_str(&path), &s) < 0)
			continue;
		if (S_ISDIR(s.st_mode) && !passed(e->d_name))
			walk(parser, buf_str(&path), t);
		else if (S_ISREG(s.st_mode) && span_ends(buf_view(&path), S(".go")))
			parse(parser, buf_str(&path), t);
	}
	if (d)
		closedir(d);
}

int main(int argc, char **argv)
{
	TSParser *parser = ts_parser_new();
	struct totals t = { 0 };

	if (argc != 2 || !ts_parser_set_language(parser, tree_sitter_go()))
		return 2;
	walk(parser, argv[1], &t);
	ts_parser_delete(parser);
	printf("%zu files, %zu bytes, %.3f s\n", t.files, t.bytes, (double)clock() / CLOCKS_PER_SEC);
	return 0;
}
