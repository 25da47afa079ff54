#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "check/target_own.h"
#include "run/gocmd.h"

/* ---- ports: GOOS and GOARCH of each release ---- */

/* clang-format off */
const struct target_port target_ports[] = {
	{ "aix", "ppc64", 12, 0, true, 0, 0 },
	{ "android", "386", 4, 0, true, 0, 0 }, { "android", "amd64", 4, 0, true, 0, 0 }, { "android", "arm", 4, 0, true, 0, 0 }, { "android", "arm64", 4, 0, true, 0, 0 },
	{ "darwin", "amd64", 1, 0, true, 0, 0 }, { "darwin", "arm64", 1, 0, true, 0, 0 },
	{ "dragonfly", "amd64", 3, 0, true, 0, 0 },
	{ "freebsd", "386", 1, 0, true, 0, 0 }, { "freebsd", "amd64", 1, 0, true, 0, 0 }, { "freebsd", "arm", 1, 0, true, 0, 0 }, { "freebsd", "arm64", 14, 0, true, 0, 0 },
	{ "freebsd", "riscv64", 20, 0, true, 0, 26 },
	{ "illumos", "amd64", 13, 0, true, 0, 0 },
	{ "ios", "amd64", 16, 0, true, 0, 0 }, { "ios", "arm64", 16, 0, true, 0, 0 },
	{ "js", "wasm", 11, 0, false, 0, 0 },
	{ "linux", "386", 1, 0, true, 0, 0 }, { "linux", "amd64", 1, 0, true, 0, 0 }, { "linux", "arm", 1, 0, true, 0, 0 }, { "linux", "arm64", 5, 0, true, 0, 0 },
	{ "linux", "loong64", 19, 0, true, 0, 0 }, { "linux", "mips", 8, 0, true, 0, 0 }, { "linux", "mips64", 6, 0, true, 0, 0 }, { "linux", "mips64le", 6, 0, true, 0, 0 },
	{ "linux", "mipsle", 8, 0, true, 0, 0 }, { "linux", "ppc64", 5, 0, false, 0, 0 }, { "linux", "ppc64le", 5, 0, true, 0, 0 }, { "linux", "riscv64", 14, 0, true, 0, 0 },
	{ "linux", "s390x", 7, 0, true, 0, 0 }, { "linux", "sparc64", 13, 0, true, 0, 13 },
	{ "netbsd", "386", 1, 0, true, 0, 0 }, { "netbsd", "amd64", 1, 0, true, 0, 0 }, { "netbsd", "arm", 1, 0, true, 0, 0 }, { "netbsd", "arm64", 12, 0, true, 0, 0 },
	{ "openbsd", "386", 1, 0, true, 0, 0 }, { "openbsd", "amd64", 1, 0, true, 0, 0 }, { "openbsd", "arm", 5, 0, true, 0, 0 }, { "openbsd", "arm64", 13, 0, true, 0, 0 },
	{ "openbsd", "mips64", 16, 26, true, 0, 20 }, { "openbsd", "ppc64", 22, 0, false, 0, 0 }, { "openbsd", "riscv64", 23, 0, true, 0, 0 },
	{ "plan9", "386", 1, 0, false, 0, 0 }, { "plan9", "amd64", 2, 0, false, 0, 0 }, { "plan9", "arm", 7, 0, false, 0, 0 },
	{ "solaris", "amd64", 3, 0, true, 0, 0 },
	{ "wasip1", "wasm", 21, 0, false, 0, 0 },
	{ "windows", "386", 1, 0, true, 0, 0 }, { "windows", "amd64", 1, 0, true, 0, 0 }, { "windows", "arm", 12, 25, false, 0, 24 }, { "windows", "arm64", 17, 0, true, 0, 0 },
};
/* clang-format on */
const size_t target_ports_n = ARRAY_LEN(target_ports);

const struct target_port *target_port_find(const char *os, const char *arch, int go)
{
	for (size_t i = 0; i < target_ports_n; i++) {
		const struct target_port *p = &target_ports[i];
		if (!strcmp(p->os, os) && !strcmp(p->arch, arch))
			return p->since <= go && (!p->until || go <= p->until) ? p : NULL;
	}
	return NULL;
}

/* ---- experiments: those that are on without being asked for ---- */

static bool one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(word, *list))
			return true;
	return false;
}

/* Function arguments in registers: since when, by architecture. */
static int regabi_since(const struct target *t)
{
	static const struct {
		const char *arch;
		int since;
	} rows[] = { { "amd64", 17 },   { "arm64", 18 },   { "ppc64", 18 }, { "ppc64le", 18 },
		     { "riscv64", 19 }, { "loong64", 22 }, { "s390x", 26 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(rows[i].arch, t->goarch))
			return rows[i].since;
	return 10000;
}

static bool regabi(const struct target *t)
{
	return t->go >= regabi_since(t);
}

static bool dwarf5(const struct target *t)
{
	static const char *const without[] = { "darwin", "ios", "aix", NULL };

	return !one_of(t->goos, without);
}

static bool spinbit(const struct target *t)
{
	static const char *const with[] = { "386", "amd64", "arm", "arm64", "ppc64le", "ppc64", NULL };

	return one_of(t->goarch, with);
}

static const struct {
	const char *name;
	int since, until;                      /* N of 1.N in which it is on; until 0: still */
	bool (*where)(const struct target *t); /* NULL: everywhere */
} experiments[] = {
	{ "regabiwrappers", 17, 0, regabi },
	{ "regabiargs", 17, 0, regabi },
	{ "pacerredesign", 18, 18, NULL },
	{ "unified", 20, 20, NULL },
	{ "coverageredesign", 20, 24, NULL },
	{ "allocheaders", 22, 22, NULL },
	{ "exectracer2", 22, 22, NULL },
	{ "aliastypeparams", 24, 25, NULL },
	{ "swissmap", 24, 25, NULL },
	{ "spinbitmutex", 24, 24, spinbit },
	{ "synchashtriemap", 24, 25, NULL },
	{ "dwarf5", 25, 0, dwarf5 },
	{ "randomizedheapbase64", 26, 0, NULL },
	{ "greenteagc", 26, 0, NULL },
	{ "sizespecializedmalloc", 27, 0, NULL },
	{ "jsonv2", 27, 0, NULL },
};

/* What GOEXPERIMENT says of it: 1, 0, -1: nothing. The last word counts. */
static int wished(struct span all, struct span name)
{
	int ret = -1;

	while (all.n) {
		struct span word = span_cut(&all, ',');
		if (span_eq(word, S("none")))
			ret = 0;
		else if (span_eq(word, name) ||
			 (span_eq(word, S("regabi")) && span_starts(name, S("regabi"))))
			ret = 1;
		else if (span_skip(&word, S("no")) &&
			 (span_eq(word, name) ||
			  (span_eq(word, S("regabi")) && span_starts(name, S("regabi")))))
			ret = 0;
	}
	return ret;
}

static bool add(struct target *t, struct arena *mem, const char *before, struct span name)
{
	char *text = arena_printf(mem, "%s.%.*s", before, SPAN_ARG(name));

	return text && list_add(mem, &t->tools, text);
}

static bool add_experiments(struct target *t, struct span all, struct arena *mem)
{
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(experiments); i++) {
		struct span name = span_of(experiments[i].name);
		bool is_regabi = span_starts(name, S("regabi"));
		bool on = experiments[i].since <= t->go &&
			  (!experiments[i].until || t->go <= experiments[i].until) &&
			  (!experiments[i].where || experiments[i].where(t));
		int said = wished(all, name);
		/* Registers cannot be switched off where they have become the only way, nor on where there are none. */
		if (said >= 0 && !(is_regabi && strcmp(t->goarch, "s390x") != 0))
			on = said > 0 && !(is_regabi && !regabi(t));
		if (on)
			ok = ok && add(t, mem, "goexperiment", name);
	}
	while (all.n) {
		struct span word = span_cut(&all, ',');
		if (!word.n || span_starts(word, S("no")) || span_eq(word, S("regabi")) ||
		    span_starts(word, S("regabi")) || wished(all, word) == 0)
			continue;
		ok = ok && add(t, mem, "goexperiment", word);
	}
	return ok;
}

/* ---- features of architectures (1.20 and newer have tags for them) ---- */

static const struct {
	const char *arch, *variable, *standard;
	const char *const *values; /* each with those before it, when cumulative */
	bool cumulative;
} features[] = {
	{ "386", "GO386", "sse2", (const char *const[]){ "sse2", "softfloat", NULL }, false },
	{ "amd64", "GOAMD64", "v1", (const char *const[]){ "v1", "v2", "v3", "v4", NULL }, true },
	{ "arm", "GOARM", "7", (const char *const[]){ "5", "6", "7", NULL }, true },
	{ "arm64", "GOARM64", "v8.0", NULL, true },
	{ "mips", "GOMIPS", "hardfloat", (const char *const[]){ "hardfloat", "softfloat", NULL }, false },
	{ "mipsle", "GOMIPS", "hardfloat", (const char *const[]){ "hardfloat", "softfloat", NULL }, false },
	{ "mips64", "GOMIPS64", "hardfloat", (const char *const[]){ "hardfloat", "softfloat", NULL }, false },
	{ "mips64le", "GOMIPS64", "hardfloat", (const char *const[]){ "hardfloat", "softfloat", NULL },
	  false },
	{ "ppc64", "GOPPC64", "power8", (const char *const[]){ "power8", "power9", "power10", NULL }, true },
	{ "ppc64le", "GOPPC64", "power8", (const char *const[]){ "power8", "power9", "power10", NULL },
	  true },
	{ "riscv64", "GORISCV64", "rva20u64",
	  (const char *const[]){ "rva20u64", "rva22u64", "rva23u64", NULL }, true },
	{ "wasm", "GOWASM", "", (const char *const[]){ "satconv", "signext", NULL }, false },
};

/* v8.N has v8.0 to v8.N; v9.N also v8.0 to v8.(N+5). */
static bool add_arm64(struct target *t, const char *value, struct arena *mem)
{
	int major = value[0] == 'v' && value[1] == '9' ? 9 : 8;
	int minor = value[0] == 'v' && value[1] && value[2] == '.' && value[3] >= '0' && value[3] <= '9'
			    ? value[3] - '0'
			    : 0;
	bool ok = true;

	for (int i = 0; i <= minor; i++) {
		char name[8];
		snprintf(name, sizeof(name), "v%d.%d", major, i);
		ok = ok && add(t, mem, "arm64", span_of(name));
	}
	for (int i = 0; major == 9 && i <= minor + 5 && i <= 9; i++) {
		char name[8];
		snprintf(name, sizeof(name), "v8.%d", i);
		ok = ok && add(t, mem, "arm64", span_of(name));
	}
	return ok;
}

/* To 1.25 wasm's two must be asked for. */
static bool add_wasm(struct target *t, const char *value, struct arena *mem)
{
	bool ok = true;

	for (size_t i = 0; i < 2; i++) {
		const char *name = (const char *const[]){ "satconv", "signext" }[i];
		struct span rest = span_of(value);
		bool on = t->go >= 26;
		while (rest.n)
			on |= span_eq(span_cut(&rest, ','), span_of(name));
		ok = ok && (!on || add(t, mem, "wasm", span_of(name)));
	}
	return ok;
}

static bool add_features(struct target *t, struct arena *mem, const char **bad)
{
	for (size_t i = 0; i < ARRAY_LEN(features); i++) {
		if (strcmp(features[i].arch, t->goarch) != 0 || t->go < 20)
			continue;
		const char *value = gocmd_setting(mem, features[i].variable);
		if (!value || !*value)
			value = features[i].standard;
		if (!strcmp(t->goarch, "arm64"))
			return t->go < 23 || add_arm64(t, value, mem);
		if (!strcmp(t->goarch, "wasm"))
			return add_wasm(t, value, mem);
		if (!strcmp(t->goarch, "riscv64") && t->go < 23)
			return true;
		struct span have = span_of(value);
		have = span_cut(&have, ',');
		bool found = false;
		for (const char *const *v = features[i].values; *v && !found; v++) {
			found = span_eq(have, span_of(*v));
			if ((features[i].cumulative || found) && !add(t, mem, t->goarch, span_of(*v)))
				return false;
		}
		if (!found)
			*bad = arena_printf(mem, "%s=%s", features[i].variable, value);
		return true;
	}
	return true;
}

bool target_feature_known(struct span tag)
{
	struct span feature = tag, arch = span_cut(&feature, '.');

	for (size_t i = 0; i < ARRAY_LEN(features); i++) {
		if (!span_eq(arch, span_of(features[i].arch)))
			continue;
		if (!features[i].values)
			return feature.n == 4 && feature.p[0] == 'v' &&
			       (feature.p[1] == '8' || feature.p[1] == '9') && feature.p[2] == '.' &&
			       feature.p[3] >= '0' && feature.p[3] <= '9';
		for (const char *const *v = features[i].values; *v; v++)
			if (span_eq(feature, span_of(*v)))
				return true;
	}
	return false;
}

int target_tools(struct target *t, const char *experiment, struct arena *mem, struct err *e)
{
	const char *bad = NULL;

	if (!add_experiments(t, span_of(experiment), mem) || !add_features(t, mem, &bad))
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	return bad ? err_set(e, EINVAL, TR("%s: go knows no such value", "%s：go 不认识这个值"), bad) : 0;
}
