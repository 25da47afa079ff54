/*
 * src/probe: every format, size, byte order and shape; damage of every kind; every allocation failing.
 * suite: takes 6
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "binmaker.h"
#include "probe/probe.h"

static struct bin k;

static void assert_span(struct span s, const char *want)
{
	if (s.n != strlen(want) || memcmp(s.p, want, s.n) != 0)
		fail_msg("'%.*s', not '%s'", SPAN_ARG(s), want);
}

static struct probe probe_ok(struct span file)
{
	struct probe p;
	struct err e = { 0 };
	int r = probe_bytes(file, "x", NULL, &p, &e);

	if (r < 0)
		fail_msg("%s", e.msg);
	return p;
}

static const char *why(const struct probe *p, enum probe_part part)
{
	for (size_t i = 0; i < p->n_absent; i++)
		if (p->absent[i].part == part)
			return p->absent[i].key;
	return "";
}

/* ---- all that a good one says ---- */

static void check_build(const struct probe *p)
{
	assert_span(p->go_version, bin_version(&k));
	assert_int_equal(p->go_version_from, PROBE_VERSION_BUILD_INFO);
	assert_true(p->build_info && p->go);
	assert_span(p->path, "example.com/m");
	assert_span(p->main.version, "(devel)");
	assert_int_equal(p->n_deps, 1);
	assert_span(p->deps[0].sum, "h1:x=");
	assert_span(p->deps[0].replaced_by->path, "./yaml");
	assert_int_equal(p->n_settings, 3);
	assert_span(probe_setting(p, "-ldflags"), "-X main.v=\"a b\" 中");
	assert_span(probe_setting(p, "vcs.modified"), "true");
	assert_null(probe_setting(p, "vcs.time").p);
}

static void check_functions(const struct probe *p)
{
	assert_int_equal(p->n_funcs, BIN_FUNCS);
	assert_string_equal(p->funcs[1].name, "main.main");
	assert_int_equal(p->funcs[1].entry, BIN_TEXT + 16);
	assert_string_equal(p->funcs[1].file, "/src/main.go");
	assert_int_equal(p->funcs[1].line, 7);
	assert_int_equal(p->n_inlined, 1);
	assert_string_equal(p->inlined[0].name, "example.com/m.small");
	assert_int_equal(p->inlined[0].into, 1);
	assert_int_equal(p->inlined[0].line, k.shape >= BIN_120 ? 9 : 0);
	assert_int_equal(p->n_packages, 4);
	assert_span(p->packages[0].path, "example.com/m");
	assert_span(p->packages[1].path, "gopkg.in/yaml.v3");
	assert_int_equal(p->packages[0].linked, 0);
	assert_int_equal(p->packages[0].inlined, 1);
	assert_int_equal(p->funcs[3].package, 1);
	assert_int_equal(probe_function(p, S("main.main")), PROBE_LINKED);
	assert_int_equal(probe_function(p, S("example.com/m.small")), PROBE_INLINED);
	assert_int_equal(probe_function(p, S("main.mai")), PROBE_NOT_FOUND);
	assert_span(probe_module_of(p, S("gopkg.in/yaml.v3"))->version, "v3.0.1");
	assert_span(probe_module_of(p, S("main"))->path, "example.com/m");
	assert_null(probe_module_of(p, S("runtime")));
	assert_null(probe_package(p, S("fmt")));
	assert_int_equal(p->n_files, 2);
	assert_string_equal(p->files[0], "/src/m.go");
}

static void check_rest(const struct probe *p)
{
	unsigned char sum[SHA256_SIZE];

	assert_int_equal(p->n_init, 2);
	assert_span(p->init[0].package, "runtime");
	assert_span(p->init[1].package, "main");
	assert_int_equal(p->init_order, k.shape >= BIN_121 ? PROBE_ORDER_TASKS : PROBE_ORDER_NAMES);
	assert_int_equal(p->n_embeds, 1);
	assert_span(p->embeds[0].name, "a.txt");
	sha256(S("abc"), sum);
	assert_true(p->embeds[0].hashed);
	assert_memory_equal(p->embeds[0].sha256, sum, sizeof(sum));
}

static void every_shape(void **state)
{
	for (int format = PROBE_ELF; format <= PROBE_PE; format++)
		for (int ptr = 4; ptr <= 8; ptr += 4)
			for (int big = 0; big <= (format != PROBE_PE); big++)
				for (int shape = BIN_116; shape <= BIN_127; shape++) {
					k = (struct bin){ .format = (enum probe_format)format,
							  .ptr = ptr,
							  .big = big,
							  .shape = (enum bin_shape)shape };
					CLEANUP(probe_free) struct probe p = probe_ok(bin_make(&k));
					assert_int_equal(p.format, format);
					assert_int_equal(p.bits, 8 * ptr);
					assert_int_equal(p.big_endian, big);
					check_build(&p);
					check_functions(&p);
					check_rest(&p);
					assert_int_equal(p.hard.stripped, PROBE_YES);
				}
}

static void only_the_build(void **state)
{
	struct probe_options o = { .build_only = true };
	struct probe p;
	struct err e;

	k = (struct bin){ .format = PROBE_ELF, .ptr = 8, .shape = BIN_126 };
	assert_int_equal(probe_bytes(bin_make(&k), "x", &o, &p, &e), 0);
	check_build(&p);
	assert_int_equal(p.n_funcs, 0);
	probe_free(&p);
}

/* ---- names ---- */

static void packages_of_names(void **state)
{
	static const char *const rows[][2] = {
		{ "main.main", "main" },
		{ "main.(*T).M-fm", "main" },
		{ "go.uber.org/zap.New", "go.uber.org/zap" },
		{ "gopkg.in/yaml%2ev3.(*D).x.func1", "gopkg.in/yaml%2ev3" },
		{ "a/b.F[go.shape.struct { c/d.x }]", "a/b" },
		{ "a/b.(*S[...]).Add.func1", "a/b" },
		{ "type:.eq.[2]interface {}", "" },
		{ "type..hash.a/b.T", "" },
		{ "go:buildid", "" },
		{ "go.buildid", "" },
		{ "go.(*struct { sync.Mutex; x/y.z }).Lock", "" },
		{ "aeshashbody", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_span(probe_package_of(span_of(rows[i][0])), rows[i][1]);
	assert_span(probe_build_id_content(S("a/b/c/d")), "d");
}

/* ---- damage ---- */

/* Whatever it says, it holds together. */
static void check_sound(const struct probe *p)
{
	for (size_t i = 0; i < p->n_funcs; i++) {
		assert_true(strlen(p->funcs[i].name) < k.n);
		assert_true(p->funcs[i].package == PROBE_NO_PACKAGE || p->funcs[i].package < p->n_packages);
	}
	for (size_t i = 0; i < p->n_inlined; i++)
		assert_true(p->inlined[i].into < p->n_funcs);
	assert_true(p->mem.used <= p->mem.max);
}

static void every_length(void **state)
{
	k = (struct bin){ .format = PROBE_ELF, .ptr = 8, .shape = BIN_126 };
	struct span whole = bin_make(&k);

	for (size_t n = 0; n < whole.n; n += n < 512 ? 1 : 61) {
		struct probe p;
		struct err e = { 0 };
		int r = probe_bytes(span_head(whole, n), "x", NULL, &p, &e);
		assert_true(r == 0 || (r == -ENOEXEC && e.msg[0]));
		if (r == 0) {
			assert_true(p.truncated);
			check_sound(&p);
		}
		probe_free(&p);
	}
}

static void every_byte(void **state)
{
	k = (struct bin){ .format = PROBE_ELF, .ptr = 8, .shape = BIN_126 };
	for (size_t at = 0; at < BIN_SIZE; at++)
		for (int v = 0; v < 3; v++) {
			struct probe p;
			struct err e = { 0 };
			struct span file = bin_make(&k);
			if (at >= BIN_TEXT_AT && at < BIN_DATA_AT)
				break;
			k.b[at] = (unsigned char)(v == 0 ? 0xff : v == 1 ? 0x7f : k.b[at] + 1);
			if (probe_bytes(file, "x", NULL, &p, &e) == 0)
				check_sound(&p);
			probe_free(&p);
		}
}

static void overlapping_functions(void **state)
{
	k = (struct bin){ .format = PROBE_ELF, .ptr = 8, .shape = BIN_126 };
	struct span file = bin_make(&k);

	memcpy(k.b + k.functab + 8 * 2 + 4, k.b + k.functab + 8 + 4, 4); /* two share a description */
	CLEANUP(probe_free) struct probe p = probe_ok(file);
	assert_int_equal(p.n_funcs, 2);
	assert_string_equal(why(&p, PROBE_PART_FUNCTIONS), "damaged");
}

static void trees_in_disorder(void **state)
{
	k = (struct bin){ .format = PROBE_ELF, .ptr = 8, .shape = BIN_126 };
	struct span file = bin_make(&k);

	bin_u32(&k, k.tree + 8, 0);                  /* its own parent */
	bin_u32(&k, k.tree + 4, BIN_INLINED_AT + 3); /* in the middle of a name */
	CLEANUP(probe_free) struct probe p = probe_ok(file);
	assert_int_equal(p.n_inlined, 0);
	assert_string_equal(why(&p, PROBE_PART_INLINED), "damaged_trees");
}

static void many_functions_claimed(void **state)
{
	k = (struct bin){ .format = PROBE_ELF, .ptr = 8, .shape = BIN_126 };
	struct span file = bin_make(&k);

	bin_ptr(&k, k.pclntab + 8, UINT64_MAX / 8);
	CLEANUP(probe_free) struct probe p = probe_ok(file);
	assert_int_equal(p.n_funcs, BIN_FUNCS); /* the runtime's list of tables knows better */
	assert_true(p.garbled);
}

static void disguised(void **state)
{
	k = (struct bin){ .format = PROBE_ELF, .ptr = 8, .shape = BIN_126 };
	struct span file = bin_make(&k);

	memset(k.b + k.pclntab, 0xab, 4);
	memset(k.b + k.buildinfo, 0, 128);
	CLEANUP(probe_free) struct probe p = probe_ok(file);
	assert_int_equal(p.n_funcs, BIN_FUNCS);
	assert_true(p.garbled && p.go);
	assert_string_equal(why(&p, PROBE_PART_BUILD_INFO), "garbled");
}

static void packed_and_foreign(void **state)
{
	k = (struct bin){ .format = PROBE_ELF, .ptr = 8, .shape = BIN_126 };
	struct span file = bin_make(&k);
	memset(k.b + BIN_DATA_AT, 0, BIN_SIZE - BIN_DATA_AT);
	{
		CLEANUP(probe_free) struct probe p = probe_ok(file);
		assert_false(p.go);
		assert_string_equal(why(&p, PROBE_PART_FUNCTIONS), "not_go");
	}
	memcpy(k.b + 236, "UPX!", 4);
	CLEANUP(probe_free) struct probe p = probe_ok(file);
	assert_string_equal(p.packer, "UPX");
	assert_string_equal(why(&p, PROBE_PART_FUNCTIONS), "packed");
	bin_u16(&k, 16, 4);
	CLEANUP(probe_free) struct probe core = probe_ok(file);
	assert_int_equal(core.kind, PROBE_CORE);
	assert_string_equal(why(&core, PROBE_PART_BUILD_INFO), "core");
}

static void no_binaries(void **state)
{
	static const char *const rows[][2] = { { "", "empty" },
					       { "#!/bin/sh\n", "script" },
					       { "hello", "no ELF" },
					       { "PK\3\4", "zip" },
					       { "\x7f"
						 "ELF",
						 "damaged" },
					       { "MZ", "damaged" },
					       { "\xca\xfe\xba\xbe", "no ELF" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct probe p;
		struct err e = { 0 };
		assert_int_equal(probe_bytes(span_of(rows[i][0]), "x", NULL, &p, &e), -ENOEXEC);
		assert_non_null(strstr(e.msg, rows[i][1]));
		probe_free(&p);
	}
}

/* ---- fat ---- */

static void fat_number(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> 8 * (3 - i));
}

static void fat_slices(void **state)
{
	static unsigned char fat[4096 + 2 * BIN_SIZE] = { 0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2 };
	static const uint32_t cpus[] = { 0x01000007, 0x0100000c };
	struct probe_options o = { .arch = "arm64" };
	struct probe p;
	struct err e = { 0 };

	k = (struct bin){ .format = PROBE_MACHO, .ptr = 8, .shape = BIN_120 };
	for (unsigned i = 0; i < 2; i++) {
		struct span one = bin_make(&k);
		bin_u32(&k, 4, cpus[i]);
		memcpy(fat + 4096 + i * BIN_SIZE, one.p, one.n);
		fat_number(fat + 8 + 20 * i, cpus[i]);
		fat_number(fat + 16 + 20 * i, 4096 + i * BIN_SIZE);
		fat_number(fat + 20 + 20 * i, BIN_SIZE);
	}
	struct span file = { (char *)fat, sizeof(fat) };
	assert_int_equal(probe_bytes(file, "x", &o, &p, &e), 0);
	assert_int_equal(p.n_slices, 2);
	assert_string_equal(p.arch, "arm64");
	check_functions(&p);
	check_rest(&p);
	probe_free(&p);
	o.arch = "riscv64";
	assert_int_equal(probe_bytes(file, "x", &o, &p, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "riscv64"));
	probe_free(&p);
}

/* The system's linker of macOS packs pointers: a value, and the distance to the next one. */
static void chained_pointers(void **state)
{
	static const unsigned at[] = { 0, 24, 40 };

	for (unsigned format = 2; format <= 6; format += 4) {
		k = (struct bin){ .format = PROBE_MACHO, .ptr = 8, .shape = BIN_126 };
		struct span file = bin_make(&k);
		size_t command = 32 + 2 * 72, blob = BIN_DATA_AT + 7168, segment = blob + 32 + 16;
		bin_u32(&k, 16, 3);
		bin_u32(&k, 20, 2 * 72 + 16);
		bin_u32(&k, command, 0x80000034);
		bin_u32(&k, command + 4, 16);
		bin_u32(&k, command + 8, (uint32_t)blob);
		bin_u32(&k, command + 12, 128);
		bin_u32(&k, blob + 4, 32);
		bin_u32(&k, blob + 32, 2);
		bin_u32(&k, blob + 32 + 8, 16); /* of the second segment */
		bin_u32(&k, segment, 24);
		bin_u16(&k, segment + 4, 0x4000);
		bin_u16(&k, segment + 6, format);
		bin_u32(&k, segment + 8, BIN_DATA);
		bin_u16(&k, segment + 20, 1);
		bin_u16(&k, segment + 22, (uint32_t)(k.embed - BIN_DATA_AT));
		for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
			uint64_t v;
			memcpy(&v, k.b + k.embed + at[i], 8);
			v |= (uint64_t)(i + 1 < ARRAY_LEN(at) ? (at[i + 1] - at[i]) / 4 : 0) << 51;
			bin_ptr(&k, k.embed + at[i], v);
		}
		CLEANUP(probe_free) struct probe p = probe_ok(file);
		check_rest(&p);
	}
}

/* ---- the file itself ---- */

static void from_a_file(void **state)
{
	struct probe p;
	struct err e = { 0 };
	int fd = memfd_create("probe", 0);

	k = (struct bin){ .format = PROBE_ELF, .ptr = 8, .shape = BIN_127 };
	struct span file = bin_make(&k);
	assert_int_equal(write(fd, file.p, file.n), file.n);
	assert_int_equal(ftruncate(fd, 1ll << 32), 0); /* 4 GB, all but the beginning a hole */
	assert_int_equal(probe_fd(fd, "x", NULL, &p, &e), 0);
	check_build(&p);
	check_functions(&p);
	check_rest(&p);
	probe_free(&p);
	close(fd);
	assert_int_equal(probe_file("/nonexistent/x", NULL, &p, &e), -ENOENT);
	assert_int_equal(probe_file("/", NULL, &p, &e), -EISDIR);
	assert_int_equal(probe_file("/dev/null", NULL, &p, &e), -EINVAL);
}

static void no_memory(void **state)
{
	k = (struct bin){ .format = PROBE_ELF, .ptr = 8, .shape = BIN_121 };
	struct span file = bin_make(&k);

	for (long at = 1;; at++) {
		struct probe p;
		struct err e = { 0 };
		fault_seen = 0;
		fault_at = at;
		int r = probe_bytes(file, "x", NULL, &p, &e);
		long seen = fault_seen;
		fault_at = 0;
		assert_true(r == 0 || r == -ENOMEM);
		if (r == 0 && seen < at)
			check_rest(&p);
		else
			assert_int_equal(r, -ENOMEM);
		probe_free(&p);
		if (seen < at)
			break;
	}
}

/* With an argument: write the seeds of the fuzzer into that folder. */
static int write_seeds(const char *folder)
{
	for (int i = 0; i < 12; i++) {
		char name[256];
		struct err e;
		k = (struct bin){ .format = (enum probe_format)(PROBE_ELF + i % 3),
				  .ptr = i % 4 < 2 ? 8 : 4,
				  .big = i % 3 < 2 && i % 5 == 0,
				  .shape = (enum bin_shape)(i % 6) };
		snprintf(name, sizeof(name), "%s/%s-%d-%s", folder, probe_format_name(k.format), 8 * k.ptr,
			 bin_version(&k));
		if (file_replace(name, bin_make(&k), &e) < 0)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape),       cmocka_unit_test(only_the_build),
		cmocka_unit_test(packages_of_names), cmocka_unit_test(every_length),
		cmocka_unit_test(every_byte),        cmocka_unit_test(overlapping_functions),
		cmocka_unit_test(trees_in_disorder), cmocka_unit_test(many_functions_claimed),
		cmocka_unit_test(disguised),         cmocka_unit_test(packed_and_foreign),
		cmocka_unit_test(no_binaries),       cmocka_unit_test(fat_slices), cmocka_unit_test(chained_pointers),
		cmocka_unit_test(from_a_file),       cmocka_unit_test(no_memory),
	};

	return argc > 1 ? write_seeds(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
}
