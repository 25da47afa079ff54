#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/sha256.h"

/*
 * What is in a binary that Go has linked, said by its own tables: nothing of it is run. ELF, Mach-O (thin and fat) and PE,
 * Go 1.16 to 1.27, stripped too. Any bytes are read; what cannot be known is listed in `absent`, with the reason. Strings
 * live as long as the probe: most of them stand in the file's own bytes. A name or path is whatever the file says: clean it
 * before it is printed.
 */

enum probe_format { PROBE_ELF = 1, PROBE_MACHO, PROBE_PE };
const char *probe_format_name(enum probe_format f); /* "elf", "macho", "pe" */

enum probe_kind {
	PROBE_PROGRAM,
	PROBE_LIBRARY, /* a shared one: c-shared, shared */
	PROBE_PLUGIN,  /* of Go's: -buildmode=plugin */
	PROBE_OBJECT,  /* not linked */
	PROBE_CORE,    /* a process' memory; `core_of` names its program, when it says so */
};
const char *probe_kind_name(enum probe_kind k); /* "program", "library", "plugin", "object", "core" */

enum probe_answer {
	PROBE_UNKNOWN,
	PROBE_NO,
	PROBE_YES,
	PROBE_PARTLY,
	PROBE_NONE_SUCH /* not a thing of this format, or of Go */
};
const char *probe_answer_name(enum probe_answer a); /* "unknown", "no", "yes", "partial", "n/a" */

struct probe_module {
	struct span path, version, sum;         /* absent sum: none is said */
	const struct probe_module *replaced_by; /* "=>"; NULL: it is itself */
};

struct probe_setting { /* "build" lines, in their order: -trimpath, CGO_ENABLED, vcs.revision, … */
	struct span key, value;
};

/* Function states: linked (it stands in the table of functions), inlined only (its code is in others), else not found. */
enum probe_state { PROBE_NOT_FOUND, PROBE_INLINED, PROBE_LINKED };

#define PROBE_NO_PACKAGE UINT32_MAX

struct probe_func {
	const char *
		name; /* as the linker writes it: "example.com/m.(*T).M", "m.F[...]", "gopkg.in/yaml%2ev3.Marshal" */
	const char *file; /* of its first instruction; NULL: unknown */
	uint64_t entry;
	uint32_t line;    /* 0: unknown */
	uint32_t package; /* in packages[]; PROBE_NO_PACKAGE: none (assembler, made by the compiler) */
};

struct probe_inlined { /* only inlined: it has no code of its own */
	const char *name;
	uint32_t line; /* where it begins; 0: unknown (to Go 1.19) */
	uint32_t package;
	uint32_t into; /* the first function in funcs[] that has it */
};

struct probe_package {
	struct span path;         /* as it is imported: "gopkg.in/yaml.v3", "main" */
	uint32_t linked, inlined; /* functions of it */
};

/* An initialisation task: a package with something to do before main. */
struct probe_init {
	struct span package;
	uint32_t functions;
};
enum probe_order {
	PROBE_ORDER_NONE,
	PROBE_ORDER_NAMES, /* which packages, from the names of their functions; the order is that of the code: close, not proven */
	PROBE_ORDER_TASKS, /* the order in which this program's runtime runs them */
};

struct probe_embed {
	struct span name; /* in its embed.FS */
	uint32_t fs;      /* number of the embed.FS in the binary, from 0 */
	bool directory, hashed;
	uint64_t size;
	unsigned char sha256[SHA256_SIZE]; /* of its content, when hashed */
};

struct probe_hash { /* what a plugin and its host must agree on, package by package */
	struct span package, linktime /* printable */;
};

struct probe_hardening {
	enum probe_answer pie, nx, relro /* PARTLY: without BIND_NOW */, canary /* Go has none */;
	enum probe_answer writable_code;          /* a segment that is both */
	enum probe_answer stripped, dwarf;        /* no symbol table; DWARF is there */
	enum probe_answer dynamic;                /* needs libraries or a loader */
	enum probe_answer signature;              /* Mach-O, PE */
	enum probe_answer aslr_high_entropy, cfg; /* PE */
	enum probe_answer cgo, trimpath, race, cover;
};

/* What of it is absent, and why. */
enum probe_part {
	PROBE_PART_BUILD_INFO,
	PROBE_PART_MODULE,
	PROBE_PART_VCS,
	PROBE_PART_BUILD_ID,
	PROBE_PART_GO_VERSION,
	PROBE_PART_FUNCTIONS,
	PROBE_PART_INLINED,
	PROBE_PART_FILES,
	PROBE_PART_INIT,
	PROBE_PART_EMBEDS,
	PROBE_PART_HASHES,
	PROBE_PART_SYMBOLS,
	PROBE_PART_LDFLAGS,
	PROBE_PARTS,
};
const char *probe_part_key(enum probe_part p);  /* for JSON: "build_info" */
const char *probe_part_name(enum probe_part p); /* in the user's language */

struct probe_absent {
	enum probe_part part;
	const char *key; /* of the reason, for JSON: "packed", "truncated", "stripped" */
	const char *why; /* a sentence, in the user's language */
};

struct probe_slice { /* of a fat Mach-O */
	const char *arch;
	uint64_t at, size;
};

struct probe {
	enum probe_format format;
	enum probe_kind kind;
	const char *arch; /* a GOARCH, "" when it is none that Go knows */
	struct span os;   /* a GOOS; absent: unknown */
	int bits;         /* 32, 64 */
	bool big_endian;
	uint64_t size; /* of the file */

	const struct probe_slice *slices;
	size_t n_slices, slice; /* 0: not fat; which one this is about */

	bool go;            /* something that Go has linked */
	bool garbled;       /* names were replaced, tables disguised */
	bool truncated;     /* headers speak of bytes that the file does not have */
	bool changed;       /* the file changed while it was read */
	const char *packer; /* "UPX"; NULL: none was recognised */
	struct span core_of;

	struct span go_version; /* "go1.26.8"; absent: see go_range */
	enum { PROBE_VERSION_NONE, PROBE_VERSION_BUILD_INFO, PROBE_VERSION_RUNTIME } go_version_from;
	const char *go_range; /* what the shape of the tables says: "1.18 to 1.19"; NULL: nothing */
	struct span build_id; /* of Go: four parts; the last one is of the content */
	struct span link_id;  /* GNU build ID or LC_UUID, in hexadecimal */

	bool build_info;          /* there is one, and its text could be read */
	struct span mod_text;     /* its lines, as `go version -m` prints them, without the first tab */
	struct span path;         /* of the main package */
	struct probe_module main; /* path absent: none */
	const struct probe_module *deps;
	size_t n_deps;
	const struct probe_setting *settings;
	size_t n_settings;

	const struct probe_func *funcs; /* in the order of their addresses */
	size_t n_funcs;
	const struct probe_inlined *inlined; /* sorted by name */
	size_t n_inlined;
	const struct probe_package *packages; /* sorted by path */
	size_t n_packages;
	const char *const *files; /* sources that gave code, sorted */
	size_t n_files;

	const struct probe_init *init;
	size_t n_init;
	enum probe_order init_order;

	const struct probe_embed *embeds; /* in the order of the file, each FS sorted by name */
	size_t n_embeds;

	struct span
		plugin_path; /* of a plugin; its hashes are what its host must have, a host's are what its plugins must have */
	const struct probe_hash *hashes;
	size_t n_hashes;

	struct probe_hardening hard;
	const struct span *libraries; /* that it needs: DT_NEEDED, LC_LOAD_DYLIB, imported DLLs */
	size_t n_libraries;

	const struct probe_absent *absent;
	size_t n_absent;

	struct arena mem;
	struct probe_source *source; /* the file's bytes */
};

struct probe_options {
	bool build_only;  /* headers, build info, build ID, Go version and hardening alone */
	const char *arch; /* which part of a fat file; NULL: this machine's, else the first */
};

/*
 * 0, however little was found; -ENOEXEC: it is no binary of these formats (the sentence says what it is); else it cannot be
 * read. options may be NULL. Never holds more than twice the file's size.
 */
int probe_file(const char *path, const struct probe_options *o, struct probe *ret, struct err *e);
int probe_fd(int fd, const char *name, const struct probe_options *o, struct probe *ret,
	     struct err *e); /* fd stays the caller's */
int probe_bytes(struct span file, const char *name, const struct probe_options *o, struct probe *ret,
		struct err *e);
void probe_free(struct probe *p);
void probe_free_cleanup(struct probe *p);

struct span probe_setting(const struct probe *p, const char *key); /* absent: not said */
enum probe_state probe_function(const struct probe *p, struct span name);
const struct probe_package *probe_package(const struct probe *p,
					  struct span path); /* NULL: none of its functions is there */
const struct probe_module *
probe_module_of(const struct probe *p, struct span package); /* NULL: the standard library's, or unknown */
/* The package that a linker's name belongs to, still escaped; empty: none. */
struct span probe_package_of(struct span name);
struct span probe_build_id_content(struct span build_id); /* the last part: equal for equal content */
#endif
