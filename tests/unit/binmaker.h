#ifndef BINMAKER_H
#define BINMAKER_H

/*
 * Small binaries as Go's linker would write them, in any format, byte order and size: four functions, one that is only inlined,
 * two sources, two tasks of init, an embed.FS of one file. For the tests of src/probe and the seeds of its fuzzer.
 */
#include <stdint.h>
#include <string.h>

#include "probe/probe.h"

enum bin_shape { BIN_116, BIN_118, BIN_120, BIN_121, BIN_126, BIN_127 };

struct bin {
	enum probe_format format;
	int ptr; /* 4, 8 */
	bool big;
	enum bin_shape shape;
	unsigned char b[12288];
	size_t n;
	/* where things are, in the file: for tests that damage them */
	size_t pclntab, functab, module, tree, tasks, embed, buildinfo;
};

#define BIN_TEXT     0x10000u
#define BIN_DATA     0x20000u
#define BIN_TEXT_AT  1024u
#define BIN_DATA_AT  2048u
#define BIN_SIZE     10240u
#define BIN_ADDR(at) ((at)-BIN_DATA_AT + BIN_DATA)

static inline void bin_num(struct bin *k, size_t at, uint64_t v, int n, bool big)
{
	for (int i = 0; i < n; i++)
		k->b[at + (size_t)(big ? n - 1 - i : i)] = (unsigned char)(v >> 8 * i);
}

static inline void bin_u32(struct bin *k, size_t at, uint32_t v)
{
	bin_num(k, at, v, 4, k->big);
}
static inline void bin_u16(struct bin *k, size_t at, uint32_t v)
{
	bin_num(k, at, v, 2, k->big);
}
static inline void bin_ptr(struct bin *k, size_t at, uint64_t v)
{
	bin_num(k, at, v, k->ptr, k->big);
}
static inline void bin_word(struct bin *k, int i, uint64_t v)
{
	bin_ptr(k, k->module + (size_t)(i * k->ptr), v);
}

static inline void bin_slice(struct bin *k, int i, uint64_t at, uint64_t n)
{
	bin_word(k, i, at);
	bin_word(k, i + 1, n);
	bin_word(k, i + 2, n);
}

static inline size_t bin_text(struct bin *k, size_t at, const char *s, size_t n)
{
	memcpy(k->b + at, s, n);
	return at + n;
}
#define BIN_TEXTS(k, at, lit) bin_text(k, at, lit, sizeof(lit) - 1)

/* Offsets in these two strings are used below. */
#define BIN_NAMES "runtime.init\0main.main\0main.init\0gopkg.in/yaml%2ev3.F[...]\0example.com/m.small\0"
#define BIN_FILES "/src/main.go\0/src/m.go\0"
static const unsigned bin_name_at[] = { 0, 13, 23, 33 };
#define BIN_INLINED_AT 59
#define BIN_FUNCS      4

static inline void bin_headers_elf(struct bin *k)
{
	size_t at = k->ptr == 8 ? 64 : 52;

	memcpy(k->b,
	       "\x7f"
	       "ELF",
	       4);
	k->b[4] = k->ptr == 8 ? 2 : 1;
	k->b[5] = k->big ? 2 : 1;
	bin_u16(k, 16, 2);
	bin_u16(k, 18, k->ptr == 8 ? (k->big ? 22 : 62) : (k->big ? 8 : 3));
	bin_ptr(k, k->ptr == 8 ? 32 : 28, at);
	bin_u16(k, k->ptr == 8 ? 54 : 42, k->ptr == 8 ? 56 : 32);
	bin_u16(k, k->ptr == 8 ? 56 : 44, 2);
	for (int i = 0; i < 2; i++) {
		uint64_t addr = i ? BIN_DATA : BIN_TEXT, file = i ? BIN_DATA_AT : BIN_TEXT_AT,
			 size = i ? BIN_SIZE - BIN_DATA_AT : 1024;
		bin_u32(k, at, 1);
		bin_u32(k, at + (k->ptr == 8 ? 4 : 24), i ? 6 : 5);
		bin_ptr(k, at + (k->ptr == 8 ? 8 : 4), file);
		bin_ptr(k, at + (k->ptr == 8 ? 16 : 8), addr);
		bin_ptr(k, at + (k->ptr == 8 ? 32 : 16), size);
		bin_ptr(k, at + (k->ptr == 8 ? 40 : 20), size);
		at += k->ptr == 8 ? 56 : 32;
	}
}

static inline void bin_headers_macho(struct bin *k)
{
	size_t at = k->ptr == 8 ? 32 : 28, size = k->ptr == 8 ? 72 : 56;

	bin_u32(k, 0, k->ptr == 8 ? 0xfeedfacf : 0xfeedface);
	bin_u32(k, 4, k->ptr == 8 ? (k->big ? 0x01000012 : 0x0100000c) : 7);
	bin_u32(k, 12, 2);
	bin_u32(k, 16, 2);
	bin_u32(k, 20, (uint32_t)(2 * size));
	bin_u32(k, 24, 0x200000);
	for (int i = 0; i < 2; i++, at += size) {
		bin_u32(k, at, k->ptr == 8 ? 0x19 : 1);
		bin_u32(k, at + 4, (uint32_t)size);
		memcpy(k->b + at + 8, i ? "__DATA" : "__TEXT", 6);
		bin_ptr(k, at + 24, i ? BIN_DATA : BIN_TEXT);
		bin_ptr(k, at + 24 + (size_t)k->ptr, i ? BIN_SIZE - BIN_DATA_AT : 1024);
		bin_ptr(k, at + 24 + 2 * (size_t)k->ptr, i ? BIN_DATA_AT : BIN_TEXT_AT);
		bin_ptr(k, at + 24 + 3 * (size_t)k->ptr, i ? BIN_SIZE - BIN_DATA_AT : 1024);
		bin_u32(k, at + 24 + 4 * (size_t)k->ptr + 4, i ? 3 : 5);
	}
}

static inline void bin_headers_pe(struct bin *k)
{
	size_t at = 128, optional = k->ptr == 8 ? 240 : 224, s = at + 24 + optional;

	memcpy(k->b, "MZ", 2);
	bin_u32(k, 60, (uint32_t)at);
	memcpy(k->b + at, "PE\0\0", 4);
	bin_u16(k, at + 4, k->ptr == 8 ? 0x8664 : 0x14c);
	bin_u16(k, at + 6, 2);
	bin_u16(k, at + 20, (uint32_t)optional);
	bin_u16(k, at + 24, k->ptr == 8 ? 0x20b : 0x10b);
	bin_u16(k, at + 24 + 70, 0x140);
	for (int i = 0; i < 2; i++, s += 40) {
		memcpy(k->b + s, i ? ".data" : ".text", 5);
		bin_u32(k, s + 8, i ? BIN_SIZE - BIN_DATA_AT : 1024);
		bin_u32(k, s + 12, i ? BIN_DATA : BIN_TEXT);
		bin_u32(k, s + 16, i ? BIN_SIZE - BIN_DATA_AT : 1024);
		bin_u32(k, s + 20, i ? BIN_DATA_AT : BIN_TEXT_AT);
		bin_u32(k, s + 36, i ? 0xc0000040 : 0x60000020);
	}
}

static inline const char *bin_version(const struct bin *k)
{
	static const char *const v[] = { "go1.16.1", "go1.18.1", "go1.20.1",
					 "go1.21.1", "go1.26.1", "go1.27.1" };

	return v[k->shape];
}

#define BIN_MOD                                                                                                             \
	"0123456789abcdef"                                                                                                  \
	"path\texample.com/m\nmod\texample.com/m\t(devel)\t\ndep\tgopkg.in/yaml.v3\tv3.0.1\th1:x=\n=>\t./yaml\t(devel)\t\n" \
	"build\t-ldflags=\"-X main.v=\\\"a b\\\" \\u4e2d\"\nbuild\tvcs.revision=0123\nbuild\tvcs.modified=true\n"           \
	"fedcba9876543210"

static inline void bin_build_info(struct bin *k)
{
	size_t at = k->buildinfo = BIN_DATA_AT;
	const char *version = bin_version(k);
	bool pointers = k->shape == BIN_116;

	at = BIN_TEXTS(k, at, "\xff Go buildinf:");
	k->b[at++] = (unsigned char)k->ptr;
	k->b[at++] = pointers ? k->big : 2;
	if (pointers) {
		size_t headers = k->buildinfo + 64, text = k->buildinfo + 128;
		bin_ptr(k, at, BIN_ADDR(headers));
		bin_ptr(k, at + (size_t)k->ptr, BIN_ADDR(headers + 16));
		bin_ptr(k, headers, BIN_ADDR(text));
		bin_ptr(k, headers + (size_t)k->ptr, strlen(version));
		bin_ptr(k, headers + 16, BIN_ADDR(text + 16));
		bin_ptr(k, headers + 16 + (size_t)k->ptr, sizeof(BIN_MOD) - 1);
		bin_text(k, text, version, strlen(version));
		BIN_TEXTS(k, text + 16, BIN_MOD);
		return;
	}
	at = k->buildinfo + 32;
	k->b[at++] = (unsigned char)strlen(version);
	at = bin_text(k, at, version, strlen(version));
	k->b[at++] = (sizeof(BIN_MOD) - 1) % 128 | 128;
	k->b[at++] = (sizeof(BIN_MOD) - 1) / 128;
	BIN_TEXTS(k, at, BIN_MOD);
}

/* The description of a function; each names the first source, and main.main has a tree. */
static inline size_t bin_function(struct bin *k, size_t at, size_t table, int i)
{
	bool old = k->shape == BIN_116;
	size_t head = old                   ? 36 + (size_t)k->ptr
		      : k->shape == BIN_118 ? 40
					    : 44,
	       f = at + (old ? (size_t)k->ptr : 4), entry = (unsigned)i * 16;

	if (old)
		bin_ptr(k, at, BIN_TEXT + entry);
	else
		bin_u32(k, at, (uint32_t)entry);
	bin_u32(k, f, bin_name_at[i]);
	bin_u32(k, f + 16, 1); /* pcfile: 0 everywhere */
	bin_u32(k, f + 20, 4); /* pcln: 7 everywhere */
	bin_u32(k, f + 24, 3);
	if (k->shape >= BIN_120)
		bin_u32(k, f + 32, 7);
	k->b[at + head - 1] = 4;
	size_t lists = at + head, data = lists + 12;
	bin_u32(k, lists + 8, i == 1 ? 8 : 0);
	if (old)
		data = table + (data - table + (size_t)k->ptr - 1) / (size_t)k->ptr * (size_t)k->ptr;
	for (int d = 0; d < 4; d++) {
		bool tree = i == 1 && d == 3;
		if (old)
			bin_ptr(k, data + (size_t)(d * k->ptr), tree ? BIN_ADDR(k->tree) : 0);
		else
			bin_u32(k, data + 4 * (size_t)d, tree ? 0 : UINT32_MAX);
	}
	return data + 4 * (old ? (size_t)k->ptr : 4);
}

static inline void bin_tables(struct bin *k)
{
	static const struct {
		uint32_t magic;
	} magics[] = { { 0xfffffffa }, { 0xfffffff0 }, { 0xfffffff1 },
		       { 0xfffffff1 }, { 0xfffffff1 }, { 0xfffffff1 } };
	bool old = k->shape == BIN_116;
	size_t at = k->pclntab = BIN_DATA_AT + 1024, words = old ? 7 : 8, p = (size_t)k->ptr;
	size_t names = at + 128, cus = names + 128, files = cus + 16, pcs = files + 48,
	       table = k->functab = pcs + 32;
	size_t offsets[] = { names, cus, files, pcs, table };

	bin_u32(k, at, magics[k->shape].magic);
	k->b[at + 6] = 1;
	k->b[at + 7] = (unsigned char)k->ptr;
	bin_ptr(k, at + 8, BIN_FUNCS);
	bin_ptr(k, at + 8 + p, 2);
	if (!old)
		bin_ptr(k, at + 8 + 2 * p, k->shape >= BIN_126 ? 0 : BIN_TEXT);
	for (size_t i = 0; i < 5; i++)
		bin_ptr(k, at + 8 + (words - 5 + i) * p, offsets[i] - at);
	BIN_TEXTS(k, names, BIN_NAMES);
	bin_u32(k, cus + 4, 13);
	BIN_TEXTS(k, files, BIN_FILES);
	BIN_TEXTS(k, pcs, "\0\x02\x10\0\x10\x10\0\0\x02\x04\x01\x0c\0"); /* 1: 0; 4: 7; 8: 0, then -1 */
	size_t one = old ? 2 * p : 8, record = table + BIN_FUNCS * one + 8;
	for (int i = 0; i < BIN_FUNCS; i++) {
		size_t row = table + (size_t)i * one;
		if (old) {
			bin_ptr(k, row, BIN_TEXT + (unsigned)i * 16);
			bin_ptr(k, row + p, record - table);
		} else {
			bin_u32(k, row, (uint32_t)i * 16);
			bin_u32(k, row + 4, (uint32_t)(record - table));
		}
		record = bin_function(k, record, table, i);
	}
	/* the tree: one call, of example.com/m.small */
	bin_u32(k, k->tree + (k->shape >= BIN_120 ? 4 : 12), BIN_INLINED_AT);
	if (k->shape >= BIN_120)
		bin_u32(k, k->tree + 12, 9);
}

static inline void bin_module(struct bin *k)
{
	static const struct {
		int gofunc, tasks, hashes;
	} rows[] = { { -1, -1, 51 }, { 38, -1, 53 }, { 40, -1, 55 },
		     { 40, 58, 55 }, { 40, 59, 56 }, { 43, 56, 53 } };
	size_t p = (size_t)k->ptr, names = k->pclntab + 128, list = k->tasks + 128;

	bin_word(k, 0, BIN_ADDR(k->pclntab));
	bin_slice(k, 1, BIN_ADDR(names), 128);
	bin_slice(k, 4, BIN_ADDR(names + 128), 4);
	bin_slice(k, 7, BIN_ADDR(names + 144), 48);
	bin_slice(k, 10, BIN_ADDR(names + 192), 32);
	bin_slice(k, 13, BIN_ADDR(k->functab), 1024);
	bin_slice(k, 16, BIN_ADDR(k->functab), BIN_FUNCS + 1);
	bin_word(k, 20, BIN_TEXT);
	bin_word(k, 21, BIN_TEXT + 64);
	bin_word(k, 22, BIN_TEXT);
	bin_word(k, 23, BIN_TEXT + 64);
	if (rows[k->shape].gofunc >= 0)
		bin_word(k, rows[k->shape].gofunc, BIN_ADDR(k->tree));
	if (rows[k->shape].tasks < 0)
		return;
	/* tasks of runtime and main; main's list has both, the runtime's comes first */
	for (size_t i = 0; i < 2; i++) {
		size_t task = k->tasks + 32 * i;
		bin_u32(k, task + 4, 1);
		bin_ptr(k, task + 8, BIN_TEXT + (i ? 32 : 0));
		bin_ptr(k, list + p * (1 - i), BIN_ADDR(task));
	}
	bin_ptr(k, list + 32, BIN_ADDR(k->tasks));
	bin_slice(k, rows[k->shape].tasks, BIN_ADDR(list), 2);
	size_t variable = list + 64;
	bin_ptr(k, variable, BIN_ADDR(list + 32));
	bin_ptr(k, variable + p, 1);
	bin_ptr(k, variable + 2 * p, 1);
}

static inline void bin_embed(struct bin *k)
{
	size_t p = (size_t)k->ptr, at = k->embed, name = at + 256, text = at + 264;

	bin_ptr(k, at, BIN_ADDR(at + 3 * p));
	bin_ptr(k, at + p, 1);
	bin_ptr(k, at + 2 * p, 1);
	bin_ptr(k, at + 3 * p, BIN_ADDR(name));
	bin_ptr(k, at + 4 * p, 5);
	bin_ptr(k, at + 5 * p, BIN_ADDR(text));
	bin_ptr(k, at + 6 * p, 3);
	BIN_TEXTS(k, name, "a.txt");
	BIN_TEXTS(k, text, "abc");
}

/* All fields before b are set. */
static inline struct span bin_make(struct bin *k)
{
	memset(k->b, 0, sizeof(k->b));
	k->tree = BIN_DATA_AT + 3072;
	k->module = BIN_DATA_AT + 4096;
	k->tasks = BIN_DATA_AT + 5120;
	k->embed = BIN_DATA_AT + 6144;
	k->n = BIN_SIZE;
	if (k->format == PROBE_ELF)
		bin_headers_elf(k);
	else if (k->format == PROBE_MACHO)
		bin_headers_macho(k);
	else
		bin_headers_pe(k);
	bin_build_info(k);
	bin_tables(k);
	bin_module(k);
	bin_embed(k);
	return (struct span){ (const char *)k->b, k->n };
}
#endif
