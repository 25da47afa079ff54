#include "cli/modding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alert/secret.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/say.h"
#include "run/gocmd.h"

/* `mod sign` and `mod verify-signature`: a signature chain over the files that say which modules are built. */

struct sign_values {
	struct checked_values checked; /* must stand first */
	const char *folder, *password, *config;
	struct opt_list keys;
};

#define PEM_MAX ((size_t)64 << 10)

/* ---- keys ---- */

static int password_of(struct secrets *s, const char *ref, const char **ret, struct err *e)
{
	struct span value;

	*ret = NULL;
	if (!ref)
		return 0;
	int r = secret_get(s, ref, &value, e);
	if (r < 0)
		return r;
	*ret = mem_dup(value.p, value.n);
	return *ret ? 0 : err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static int read_key(const char *file, const char *password, bool need_private, struct key *ret, struct err *e)
{
	struct buf pem = { .max = PEM_MAX };
	int r = file_slurp(file, &pem, e);

	if (r == 0)
		r = key_read(buf_view(&pem), file, password, ret, e);
	if (r == 0 && need_private && !ret->private_) {
		key_free(ret);
		r = err_set(e, EKEYREJECTED, TR("%s is a public key: signing needs the private one", "%s 是公钥：签名需要私钥"), file);
	}
	if (pem.p)
		explicit_bzero(pem.p, pem.cap);
	buf_free(&pem);
	return r;
}

int keys_read(const char *const *files, size_t n, const char *password_ref, bool need_private, struct keys *ret, struct err *e)
{
	CLEANUP(secrets_close) struct secrets *s = NULL;
	const char *password = NULL;
	int r = 0;

	*ret = (struct keys){ mem_zalloc((n + 1) * sizeof(*ret->v)), 0 };
	if (!ret->v)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	if (password_ref)
		r = secrets_open(&s, e);
	if (r == 0)
		r = password_of(s, password_ref, &password, e);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = read_key(files[i], password, need_private, &ret->v[i], e);
		ret->n += r == 0;
	}
	if (password)
		explicit_bzero((char *)password, strlen(password));
	mem_free((char *)password);
	if (r < 0)
		keys_free(ret);
	return r;
}

void keys_free(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		key_free(&k->v[i]);
	mem_free(k->v);
	*k = (struct keys){ 0 };
}

void keys_free_cleanup(struct keys *k)
{
	keys_free(k);
}

/* ---- the gate ---- */

/* GOFLAGS and the command's own words, in one list. */
static int all_flags(struct arena *mem, const struct argv *own, struct argv *ret, struct err *e)
{
	const char *goflags = gocmd_setting(mem, "GOFLAGS");
	size_t n = own ? own->n : 0, max = n + (goflags ? strlen(goflags) : 0) + 1;

	*ret = (struct argv){ arena_alloc(mem, max * sizeof(*ret->v)), 0 };
	if (!ret->v)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	for (size_t i = 0; i < n; i++)
		ret->v[ret->n++] = own->v[i];
	for (struct span rest = span_of(goflags); rest.n;) {
		struct span word = span_trim(span_cut(&rest, ' '));
		if (word.n && (ret->v[ret->n] = arena_str(mem, word)))
			ret->n++;
	}
	return 0;
}

int signed_gate(const char *dir, const char *folder, const char *const *files, size_t n, const struct argv *flags, struct report *r,
		struct err *e)
{
	CLEANUP(keys_free) struct keys keys = { 0 };
	CLEANUP(mod_tree_close) struct mod_tree tree = { 0 };
	struct argv all;

	int ret = keys_read(files, n, NULL, false, &keys, e);
	if (ret == 0)
		ret = mod_tree_open(dir, gocmd_setting(&r->mem, "GOWORK"), &tree, e);
	if (ret == 0)
		ret = all_flags(&r->mem, flags, &all, e);
	if (ret < 0)
		return ret;
	const struct signing s = { &tree, folder ? folder : SIGNED_FOLDER, keys.v, keys.n };
	return sign_check(&s, &all, r, e);
}

/* ---- the verbs ---- */

static int fail(int r, const struct err *e)
{
	say_error("%s", e->msg);
	return r == -ENOMEM || r == -ELIBACC || r == -ELIBBAD || r == -EIO ? EXIT_OWN : EXIT_USAGE;
}

static int run_sign(void *values, const struct args *a)
{
	const struct sign_values *o = values;
	CLEANUP(keys_free) struct keys keys = { 0 };
	CLEANUP(mod_tree_close) struct mod_tree tree = { 0 };
	CLEANUP(buf_free) struct buf text = { 0 };
	struct arena mem = { 0 };
	const char *name = NULL;
	struct term out;
	struct err e;

	if (o->keys.n != 1 || a->n > 1)
		return say_usage("mod sign", o->keys.n == 1
						     ? TR("one folder at most", "最多一个目录")
						     : TR("say which private key signs: --key FILE", "请用 --key 文件 指定签名私钥"));
	int r = keys_read(o->keys.v, 1, o->password, true, &keys, &e);
	if (r == 0)
		r = mod_tree_open(a->n ? a->v[0] : NULL, gocmd_setting(&mem, "GOWORK"), &tree, &e);
	const struct signing s = { &tree, o->folder ? o->folder : SIGNED_FOLDER, keys.v, keys.n };
	if (r == 0)
		r = sign_make(&s, &name, &e);
	arena_free(&mem);
	if (r < 0)
		return fail(r, &e);
	term_open(&out, STDOUT_FILENO);
	if (r)
		buf_addf(&text, TR("signed: %s, with %s.sig; commit both\nkey: %s\n", "已签名：%s 及 %s.sig；请一并提交\n密钥：%s\n"), name,
			 name, keys.v[0].id);
	else
		buf_addf(&text, TR("nothing changed since %s was signed\n", "自 %s 签名以来没有变化\n"), name);
	term_flush(&out, &text);
	return out.dead && !out.gone ? EXIT_OWN : EXIT_OK;
}

static int run_verify(void *values, const struct args *a)
{
	const struct sign_values *o = values;
	struct checked c = { .modules = -1, .bytes = -1, .packages = -1 };
	struct err e;

	if (!o->keys.n || a->n > 1)
		return say_usage("mod verify-signature", o->keys.n ? TR("one folder at most", "最多一个目录")
								   : TR("say whose signature counts: --key FILE, a public key in PEM",
									"请用 --key 文件 指定受信任的公钥（PEM）"));
	int r = signed_gate(a->n ? a->v[0] : NULL, o->folder, o->keys.v, o->keys.n, NULL, &c.report, &e);
	if (r < 0) {
		report_free(&c.report);
		return fail(r, &e);
	}
	c.files = r;
	c.fine = report_text(&c.report, TR("the signature holds: %d files are what was signed", "签名有效：%d 个文件与签名时一致"), r).p;
	return checked_end(&c, &o->checked);
}

/* clang-format off */
#define AT(field) offsetof(struct sign_values, field)
#define FOLDER_OPT \
	{ "folder", 0, OPT_STRING, AT(folder), { "DIR", "目录" }, { "where the statements are, from the top of the module or workspace (" SIGNED_FOLDER ")", "声明所在目录，相对于模块或工作区顶层（" SIGNED_FOLDER "）" }, NULL, 0 }
static const struct opt sign_opts[] = {
	{ "key", 0, OPT_LIST, AT(keys), { "FILE", "文件" }, { "the private key that signs, in PEM: Ed25519 or ECDSA P-256", "用于签名的私钥（PEM）：Ed25519 或 ECDSA P-256" }, NULL, 0 },
	{ "password", 0, OPT_STRING, AT(password), { "REF", "引用" }, { "where the password of an encrypted key is: env:NAME, file:PATH or credential:NAME", "加密私钥的口令来源：env:名称、file:路径 或 credential:名称" }, NULL, 0 },
	FOLDER_OPT,
};
static const struct opt verify_opts[] = {
	{ "key", 0, OPT_LIST, AT(keys), { "FILE", "文件" }, { "a public key in PEM whose signature counts; may be repeated", "受信任的公钥（PEM）；可重复" }, NULL, 0 },
	FOLDER_OPT,
	CHECKED_OPTS,
};

const struct verb verb_mod_sign = {
	.name = "mod sign", .opts = sign_opts, .n_opts = ARRAY_LEN(sign_opts), .size = sizeof(struct sign_values), .run = run_sign,
	.args = { "[DIR]", "[目录]" },
	.brief = { "sign go.mod, go.sum, go.work and vendor/modules.txt", "为 go.mod、go.sum、go.work 和 vendor/modules.txt 签名" },
	.text = { "Writes the next statement of the chain: each file's hash, that of each of its lines, the commit, the hash of the statement before; and its signature "
		  "beside it. Commit both. Nothing is written when nothing changed.\n\n"
		  "  openssl genpkey -algorithm ed25519 -out key.pem\n"
		  "  openssl pkey -in key.pem -pubout -out key.pub\n"
		  "  tocsin mod sign --key key.pem\n\n"
		  "A signature with a P-256 key can be checked without Tocsin: cosign verify-blob --key key.pub --signature tocsin/signed/0001.json.sig tocsin/signed/0001.json\n\n"
		  "Exit status: 0; 2 the key, a file or the chain cannot be used; 125 libcrypto is not there.",
		  "写出签名链中的下一条声明：每个文件及其每一行的哈希、所在提交、前一条声明的哈希；签名放在旁边。请一并提交。没有变化时不写任何文件。\n\n"
		  "  openssl genpkey -algorithm ed25519 -out key.pem\n"
		  "  openssl pkey -in key.pem -pubout -out key.pub\n"
		  "  tocsin mod sign --key key.pem\n\n"
		  "P-256 密钥的签名无需 Tocsin 也可校验：cosign verify-blob --key key.pub --signature tocsin/signed/0001.json.sig tocsin/signed/0001.json\n\n"
		  "退出状态：0；2 密钥、文件或签名链不可用；125 缺少 libcrypto。" },
};
const struct verb verb_mod_verify_signature = {
	.name = "mod verify-signature", .opts = verify_opts, .n_opts = ARRAY_LEN(verify_opts), .size = sizeof(struct sign_values), .run = run_verify,
	.args = { "[DIR]", "[目录]" },
	.brief = { "are the modules what was signed?", "模块是否与签名时一致？" },
	.text = { "Checks the chain, the signature of its newest statement, that its commit is an ancestor of this one, each file, and that no replacement goes round "
		  "what was signed; says which line changed. `tocsin run --require-signed --signed-by KEY -- go build ./...` is the same, before a build.\n\n"
		  "  tocsin mod verify-signature --key key.pub\n\n"
		  "Exit status: 0 it holds; 1 it does not; 2 a key or file cannot be read; 125 libcrypto is not there.",
		  "检查签名链、最新声明的签名、其提交是否为当前提交的祖先、每个文件，以及没有绕过签名的替换；并指出哪一行发生了变化。构建之前可用 `tocsin run --require-signed --signed-by 密钥 -- go build ./...`。\n\n"
		  "  tocsin mod verify-signature --key key.pub\n\n"
		  "退出状态：0 有效；1 无效；2 密钥或文件无法读取；125 缺少 libcrypto。" },
};
/* clang-format on */
