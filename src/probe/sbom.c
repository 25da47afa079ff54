#include "probe/sbom.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "base/time.h"
#include "parse/modfile.h"
#include "probe/filehash.h"

/* CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/) and SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/), as JSON. */

const char *const sbom_names[] = { "cyclonedx", "spdx", NULL };

struct part { /* a module as it is in the binary */
	struct span path, version, sum;
	struct span from; /* what it replaces; absent: nothing */
	bool folder;      /* it is a folder of whoever built it: nothing more is known */
	struct buf purl;
	char id[32]; /* of SPDX */
};
struct sbom {
	const struct probe *p;
	struct json_out j;
	struct part *v; /* the main module, the standard library, then the others */
	size_t n;
	char sha256[2 * SHA256_SIZE + 1], uuid[40], created[32];
	struct span name; /* of the file */
};

/* https://github.com/package-url/purl-spec, type golang: lower case. */
static void write_purl(struct part *m)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_~/";

	if (m->folder)
		return;
	buf_adds(&m->purl, "pkg:golang/");
	for (int k = 0; k < 2; k++) {
		struct span s = k ? m->version : m->path;
		if (k && s.n)
			buf_addc(&m->purl, '@');
		for (size_t i = 0; i < s.n; i++) {
			char c = s.p[i];
			if (c >= 'A' && c <= 'Z' && !k)
				c = (char)(c + 32);
			bool fine = c && (strchr(plain, c) || (c >= 'A' && c <= 'Z'));
			buf_addf(&m->purl, fine ? "%c" : "%%%02X", (unsigned char)c);
		}
	}
}

static void fill(struct sbom *s, struct part *to, const struct probe_module *m)
{
	const struct probe_module *by = m->replaced_by;

	*to = (struct part){ .path = m->path, .version = m->version, .sum = m->sum };
	if (by && !modfile_is_dir(by->path))
		*to = (struct part){
			.path = by->path, .version = by->version, .sum = by->sum, .from = m->path
		};
	else if (by)
		*to = (struct part){ .path = m->path, .version = S(""), .from = by->path, .folder = true };
	write_purl(to);
}

static bool gather(struct sbom *s)
{
	const struct probe *p = s->p;
	struct probe_module std = { .path = S("stdlib"), .version = p->go_version };

	s->v = mem_zalloc((p->n_deps + 2) * sizeof(*s->v));
	if (!s->v)
		return false;
	span_skip(&std.version, S("go"));
	if (p->main.path.n) {
		fill(s, &s->v[0], &p->main);
	} else {
		struct probe_module own = { .path = p->path.n ? p->path : s->name };
		fill(s, &s->v[0], &own);
	}
	fill(s, &s->v[1], &std);
	for (size_t i = 0; i < p->n_deps; i++)
		fill(s, &s->v[i + 2], &p->deps[i]);
	s->n = p->n_deps + 2;
	bool bad = false;
	for (size_t i = 0; i < s->n; i++) {
		bad |= s->v[i].purl.bad;
		snprintf(s->v[i].id, sizeof(s->v[i].id), "SPDXRef-%zu", i);
	}
	return !bad;
}

static void identify(struct sbom *s, const unsigned char sha256[SHA256_SIZE], int64_t mtime)
{
	unsigned char sum[SHA256_SIZE];
	int64_t at = mtime;
	char hex[2 * SHA256_SIZE + 1];

	memcpy(sum, sha256, sizeof(sum));
	hex_lower(sum, sizeof(sum), s->sha256);
	sum[6] = (unsigned char)((sum[6] & 15) | 0x50); /* a UUID made from a name */
	sum[8] = (unsigned char)((sum[8] & 63) | 0x80);
	hex_lower(sum, sizeof(sum), hex);
	snprintf(s->uuid, sizeof(s->uuid), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		 hex + 20);
	time_parse_rfc3339(probe_setting(s->p, "vcs.time"), &at);
	time_rfc3339(at / NSEC_PER_SEC * NSEC_PER_SEC, s->created);
}

/* ---- CycloneDX ---- */

static void property(struct json_out *j, const char *group, struct span name, struct span value)
{
	CLEANUP(buf_free) struct buf key = { 0 };

	if (!value.p)
		return;
	buf_addf(&key, "%s%.*s", group, SPAN_ARG(name));
	json_open(j, '{');
	json_member_str(j, "name", buf_view(&key));
	json_member_str(j, "value", value);
	json_close(j, '}');
}

static void component_ref(const struct part *m, struct buf *ret)
{
	buf_clear(ret);
	buf_addf(ret, "%.*s@%.*s", SPAN_ARG(m->path), SPAN_ARG(m->version));
}

static void write_component(struct sbom *s, size_t i)
{
	CLEANUP(buf_free) struct buf ref = { 0 };
	const struct part *m = &s->v[i];
	struct json_out *j = &s->j;

	component_ref(m, &ref);
	json_open(j, '{');
	json_member_strz(j, "type", i ? "library" : "application");
	json_member_str(j, "bom-ref", buf_view(&ref));
	json_member_str(j, "name", m->path);
	if (m->version.n)
		json_member_str(j, "version", m->version);
	if (m->purl.len)
		json_member_str(j, "purl", buf_view(&m->purl));
	if (i == 0) {
		json_member_open(j, "hashes", '[');
		json_open(j, '{');
		json_member_strz(j, "alg", "SHA-256");
		json_member_strz(j, "content", s->sha256);
		json_close(j, '}');
		json_close(j, ']');
	}
	if (m->sum.n || m->from.n || i == 0) {
		json_member_open(j, "properties", '[');
		property(j, "tocsin:go.sum", S(""), m->sum.n ? m->sum : (struct span){ 0 });
		property(j, m->folder ? "tocsin:replaced_by" : "tocsin:replaces", S(""),
			 m->from.n ? m->from : (struct span){ 0 });
		if (i == 0)
			property(j, "tocsin:file", S(""), s->name);
		for (size_t k = 0; i == 0 && k < s->p->n_settings; k++)
			property(j, "tocsin:build:", s->p->settings[k].key,
				 s->p->settings[k].value.p ? s->p->settings[k].value : S(""));
		json_close(j, ']');
	}
	json_close(j, '}');
}

static void write_depends(struct sbom *s)
{
	CLEANUP(buf_free) struct buf ref = { 0 };
	struct json_out *j = &s->j;

	/* Which module needs which is not in the binary: all that is known is that the program has them. */
	json_member_open(j, "dependencies", '[');
	json_open(j, '{');
	component_ref(&s->v[0], &ref);
	json_member_str(j, "ref", buf_view(&ref));
	json_member_open(j, "dependsOn", '[');
	for (size_t i = 1; i < s->n; i++) {
		component_ref(&s->v[i], &ref);
		json_str(j, buf_view(&ref));
	}
	json_close(j, ']');
	json_close(j, '}');
	json_close(j, ']');
	j->to->bad |= ref.bad;
}

static void write_cyclonedx(struct sbom *s)
{
	CLEANUP(buf_free) struct buf serial = { 0 };
	struct json_out *j = &s->j;

	buf_addf(&serial, "urn:uuid:%s", s->uuid);
	json_open(j, '{');
	json_member_strz(j, "$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json");
	json_member_strz(j, "bomFormat", "CycloneDX");
	json_member_strz(j, "specVersion", "1.6");
	json_member_str(j, "serialNumber", buf_view(&serial));
	json_member_int(j, "version", 1);
	json_member_open(j, "metadata", '{');
	json_member_strz(j, "timestamp", s->created);
	json_member_open(j, "tools", '{');
	json_member_open(j, "components", '[');
	json_open(j, '{');
	json_member_strz(j, "type", "application");
	json_member_strz(j, "name", "tocsin");
	json_member_strz(j, "version", TOCSIN_VERSION);
	json_close(j, '}');
	json_close(j, ']');
	json_close(j, '}');
	json_key(j, "component");
	write_component(s, 0);
	json_close(j, '}');
	json_member_open(j, "components", '[');
	for (size_t i = 1; i < s->n; i++)
		write_component(s, i);
	json_close(j, ']');
	write_depends(s);
	json_close(j, '}');
	j->to->bad |= serial.bad;
}

/* ---- SPDX ---- */

static void write_package(struct sbom *s, size_t i)
{
	static const char *const unknown[] = { "downloadLocation", "licenseConcluded", "licenseDeclared",
					       "copyrightText" };
	CLEANUP(buf_free) struct buf comment = { 0 };
	const struct part *m = &s->v[i];
	struct json_out *j = &s->j;

	json_open(j, '{');
	json_member_strz(j, "SPDXID", m->id);
	json_member_str(j, "name", m->path);
	if (m->version.n)
		json_member_str(j, "versionInfo", m->version);
	for (size_t k = 0; k < ARRAY_LEN(unknown); k++)
		json_member_strz(j, unknown[k], "NOASSERTION");
	json_member_bool(j, "filesAnalyzed", false);
	json_member_strz(j, "primaryPackagePurpose", i ? "LIBRARY" : "APPLICATION");
	if (i == 0) {
		json_member_str(j, "packageFileName", s->name);
		json_member_open(j, "checksums", '[');
		json_open(j, '{');
		json_member_strz(j, "algorithm", "SHA256");
		json_member_strz(j, "checksumValue", s->sha256);
		json_close(j, '}');
		json_close(j, ']');
	}
	if (m->purl.len) {
		json_member_open(j, "externalRefs", '[');
		json_open(j, '{');
		json_member_strz(j, "referenceCategory", "PACKAGE-MANAGER");
		json_member_strz(j, "referenceType", "purl");
		json_member_str(j, "referenceLocator", buf_view(&m->purl));
		json_close(j, '}');
		json_close(j, ']');
	}
	if (m->sum.n)
		buf_addf(&comment, "go.sum: %.*s", SPAN_ARG(m->sum));
	if (m->from.n)
		buf_addf(&comment, "%s%s %.*s", comment.len ? "; " : "",
			 m->folder ? "replaced by" : "replaces", SPAN_ARG(m->from));
	if (comment.len)
		json_member_str(j, "comment", buf_view(&comment));
	json_close(j, '}');
	j->to->bad |= comment.bad;
}

static void relation(struct json_out *j, const char *from, const char *how, const char *to)
{
	json_open(j, '{');
	json_member_strz(j, "spdxElementId", from);
	json_member_strz(j, "relationshipType", how);
	json_member_strz(j, "relatedSpdxElement", to);
	json_close(j, '}');
}

static void write_spdx(struct sbom *s)
{
	CLEANUP(buf_free) struct buf space = { 0 };
	struct json_out *j = &s->j;

	buf_addf(&space, "https://spdx.org/spdxdocs/tocsin-%s", s->uuid);
	json_open(j, '{');
	json_member_strz(j, "spdxVersion", "SPDX-2.3");
	json_member_strz(j, "dataLicense", "CC0-1.0");
	json_member_strz(j, "SPDXID", "SPDXRef-DOCUMENT");
	json_member_str(j, "name", s->name);
	json_member_str(j, "documentNamespace", buf_view(&space));
	json_member_open(j, "creationInfo", '{');
	json_member_strz(j, "created", s->created);
	json_member_open(j, "creators", '[');
	json_strz(j, "Tool: tocsin-" TOCSIN_VERSION);
	json_close(j, ']');
	json_close(j, '}');
	json_member_open(j, "documentDescribes", '[');
	json_strz(j, s->v[0].id);
	json_close(j, ']');
	json_member_open(j, "packages", '[');
	for (size_t i = 0; i < s->n; i++)
		write_package(s, i);
	json_close(j, ']');
	json_member_open(j, "relationships", '[');
	relation(j, "SPDXRef-DOCUMENT", "DESCRIBES", s->v[0].id);
	for (size_t i = 1; i < s->n; i++)
		relation(j, s->v[0].id, "DEPENDS_ON", s->v[i].id);
	json_close(j, ']');
	json_close(j, '}');
	j->to->bad |= space.bad;
}

int sbom_write(const struct probe *p, enum sbom_kind kind, const char *path, int64_t mtime, struct buf *ret,
	       struct err *e)
{
	struct sbom s = { .p = p, .j = { .to = ret }, .name = path_base(span_of(path)) };
	unsigned char sum[SHA256_SIZE];

	if (!p->build_info)
		return err_set(e, ENODATA,
			       TR("'%s' has no build info: what it is made of is not known",
				  "“%s”没有构建信息：无法得知其组成"),
			       path);
	if (!file_sha256(path, sum))
		return err_set(e, EIO, TR("'%s' cannot be read to its end", "无法完整读取“%s”"), path);
	identify(&s, sum, mtime);
	ret->bad |= !gather(&s);
	if (s.v && kind == SBOM_CYCLONEDX)
		write_cyclonedx(&s);
	else if (s.v)
		write_spdx(&s);
	buf_addc(ret, '\n');
	for (size_t i = 0; i < s.n; i++)
		buf_free(&s.v[i].purl);
	mem_free(s.v);
	return ret->bad ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : 0;
}
