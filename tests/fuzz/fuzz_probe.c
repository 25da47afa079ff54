/* Any bytes as a binary: refused with a sentence, or a probe that holds together; twice the same; never more than the file's size. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "probe/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Every byte of it can be read; the sum of all. */
static uint64_t sum(struct span s)
{
	return s.n ? span_hash(s) : 0;
}

static uint64_t walk(const struct probe *p)
{
	uint64_t h = sum(p->go_version) + sum(p->build_id) + sum(p->link_id) + sum(p->path) + sum(p->os) +
		     sum(p->core_of) + sum(p->plugin_path);

	for (size_t i = 0; i < p->n_deps; i++)
		h += sum(p->deps[i].path) +
		     (p->deps[i].replaced_by ? sum(p->deps[i].replaced_by->version) : 0);
	for (size_t i = 0; i < p->n_settings; i++)
		h += sum(p->settings[i].key) + sum(p->settings[i].value);
	for (size_t i = 0; i < p->n_funcs; i++) {
		h += sum(span_of(p->funcs[i].name)) + sum(span_of(p->funcs[i].file));
		check(p->funcs[i].package == PROBE_NO_PACKAGE || p->funcs[i].package < p->n_packages);
	}
	for (size_t i = 0; i < p->n_inlined; i++) {
		h += sum(span_of(p->inlined[i].name));
		check(p->inlined[i].into < p->n_funcs);
		check(i == 0 || strcmp(p->inlined[i - 1].name, p->inlined[i].name) <= 0);
	}
	for (size_t i = 0; i < p->n_packages; i++) {
		h += sum(p->packages[i].path);
		check(probe_package(p, p->packages[i].path) != NULL);
	}
	for (size_t i = 0; i < p->n_files; i++)
		h += sum(span_of(p->files[i]));
	for (size_t i = 0; i < p->n_init; i++)
		h += sum(p->init[i].package);
	for (size_t i = 0; i < p->n_embeds; i++)
		h += sum(p->embeds[i].name) + p->embeds[i].sha256[0];
	for (size_t i = 0; i < p->n_hashes; i++)
		h += sum(p->hashes[i].package) + sum(p->hashes[i].linktime);
	for (size_t i = 0; i < p->n_libraries; i++)
		h += sum(p->libraries[i]);
	for (size_t i = 0; i < p->n_absent; i++)
		check(p->absent[i].key && *p->absent[i].why);
	return h;
}

static int probe_once(struct span file, bool build_only, uint64_t *ret)
{
	CLEANUP(probe_free) struct probe p = { 0 };
	struct probe_options o = { .build_only = build_only };
	struct err e = { 0 };
	int r = probe_bytes(file, "x", &o, &p, &e);

	check(r == 0 || (r == -ENOEXEC && e.msg[0]));
	check(p.mem.used <= p.mem.max);
	*ret = r == 0 ? walk(&p) : 0;
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span file = { (const char *)data, size };
	uint64_t a, b, c;
	int r = probe_once(file, false, &a);

	check(probe_once(file, false, &b) == r && a == b);
	check(probe_once(file, true, &c) == r);
	return 0;
}
