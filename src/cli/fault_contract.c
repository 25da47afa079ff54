/* `tocsin fault contract`: a contract to fill in. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/path.h"
#include "base/text.h"
#include "cli/fault.h"
#include "config/config.h"
#include "parse/contract.h"
#include "parse/gofunc.h"

#define SLUG_MAX 40

struct contract_values {
	const char *store;
	bool print;
};

/* Words of the title in lower case, with dashes; of a test its name. */
static void add_slug(struct buf *b, const struct fault *f)
{
	struct span s = f->test.n ? f->test : f->title;
	size_t begin = b->len;

	for (size_t i = 0; i < s.n && b->len - begin < SLUG_MAX; i++) {
		char c = s.p[i];
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			buf_addc(b, c);
		else if (c >= 'A' && c <= 'Z')
			buf_addc(b, (char)(c | 0x20));
		else if (b->len > begin && b->p[b->len - 1] != '-')
			buf_addc(b, '-');
	}
	while (b->len > begin && b->p[b->len - 1] == '-')
		b->p[--b->len] = '\0';
}

/* In double quotes: JSON's strings are YAML's. */
static void add_quoted(struct buf *b, struct span s)
{
	struct json_out j = { .to = b };

	json_str(&j, s);
}

static void add_comment(struct buf *b, const char *text)
{
	buf_addf(b, "# %s\n", text);
}

static void add_check(struct buf *b, const char *kind, struct span name)
{
	buf_addf(b, "  - %s: ", kind);
	add_quoted(b, name);
	buf_addc(b, '\n');
}

/* What is linked already, and the test that shows the fault. */
static size_t add_checks(struct buf *b, const struct fault *f)
{
	struct span lines = f->defences, one, name;
	enum defence_kind kind;
	size_t n = 0;
	bool own = f->test.n && f->package.n && gofunc_named(f->test) != GOFUNC_OTHER;
	CLEANUP(buf_free) struct buf test = { 0 };

	buf_span(&test, f->package);
	buf_addc(&test, '.');
	buf_span(&test, f->test);
	if (own) {
		add_check(b, "test", buf_view(&test));
		n++;
	}
	while (fault_item(&lines, &one)) {
		if (!defence_read(one, &kind, &name) || kind == DEFENCE_CONTRACT || (own && span_eq(name, buf_view(&test))))
			continue;
		add_check(b, defence_words[kind], name);
		n++;
	}
	return n;
}

static bool is_hex(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!strchr("0123456789abcdef", s.p[i]))
			return false;
	}
	return s.n >= 6;
}

static void make_contract(const struct fault *f, struct buf *b)
{
	CLEANUP(buf_free) struct buf line = { 0 };

	buf_addf(&line, TR("The defence against T-%lld: `tocsin fault show T-%lld` says what is known of it.", "针对 T-%lld 的防御；已知情况见 `tocsin fault show T-%lld`。"), (long long)f->seq, (long long)f->seq);
	add_comment(b, buf_str(&line));
	add_comment(b, TR("Fill in what is empty; `tocsin fault audit` verifies the rest in every run of it.", "请填写空白处；其余由 `tocsin fault audit` 逐次核实。"));
	buf_addf(b, "fault: T-%lld\n", (long long)f->seq);
	if (is_hex(f->fingerprint)) /* the same in every store */
		buf_addf(b, "fingerprint: \"%.*s\"\n", SPAN_ARG(f->fingerprint));
	buf_adds(b, "title: ");
	add_quoted(b, f->title);
	buf_addc(b, '\n');
	buf_addc(b, '\n');
	add_comment(b, TR("What makes it happen: the input, the timing, the machine, the version.", "触发条件：什么输入、时机、机器或版本会引发它。"));
	buf_adds(b, "trigger: \"\"\n\n");
	add_comment(b, TR("What must hold from now on, in one sentence that a check can prove wrong.", "从此必须成立的保证：一句可被检查推翻的话。"));
	buf_adds(b, "guarantee: \"\"\n\n");
	add_comment(b, TR("What checks it: `- test: PACKAGE.TestName`, `- rule: NAME` or `- drill: NAME`, at least one.", "由什么来检查：`- test: 包.测试名`、`- rule: 规则` 或 `- drill: 演练名`，至少一项。"));
	buf_adds(b, "checks:\n");
	if (!add_checks(b, f))
		buf_adds(b, "  - test: \"\"\n");
}

/* ---- the verb ---- */

/* Never over a file that is there. */
static int write_new(const char *path, struct span what, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0 && errno == EEXIST)
		return err_set(e, EEXIST, TR("'%s' exists already, and is not written over", "“%s”已存在，不会覆盖"), path);
	if (fd < 0)
		return err_set(e, errno, TR("cannot write '%s': %m", "无法写入“%s”：%m"), path);
	int r = fd_write_all(fd, what);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r < 0) {
		unlink(path);
		return err_set(e, -r, TR("cannot write '%s': %m", "无法写入“%s”：%m"), path);
	}
	return 0;
}

static int write_contract(struct fault_task *t, const struct config *config, const struct fault *f, struct span text, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	config_path(config, CFG_CONTRACTS, &path);
	if (path.bad || path_mkdirs(buf_str(&path), 0777, e) < 0)
		return path.bad ? -ENOMEM : -EIO;
	buf_addf(&path, "/T-%lld-", (long long)f->seq);
	add_slug(&path, f);
	if (path.p[path.len - 1] == '-')
		path.p[--path.len] = '\0';
	buf_adds(&path, ".yaml");
	if (path.bad)
		return -ENOMEM;
	int r = write_new(buf_str(&path), text, e);
	if (r < 0)
		return r == -EEXIST ? r : -EIO;
	buf_addf(&t->text, TR("written: ", "已写入："));
	say_clean(&t->text, buf_view(&path));
	buf_addf(&t->text, "\n%s\n", TR("Fill in trigger and guarantee, and commit it: `tocsin fault audit` finds it there.", "请填写 trigger 和 guarantee 并提交：`tocsin fault audit` 会自动找到它。"));
	return 0;
}

static int run(void *values, const struct args *a)
{
	const struct contract_values *o = values;
	CLEANUP(config_free) struct config *config = NULL;
	CLEANUP(buf_free) struct buf text = { 0 };
	struct fault_task t;
	struct fault f;
	struct err e = { 0 };

	if (a->n != 1)
		return say_usage("fault contract", TR("fault contract: which fault? For example: tocsin fault contract T-42", "fault contract：哪个故障？例如：tocsin fault contract T-42"));
	if (config_load(NULL, NULL, &config, &e) < 0) {
		say_error("%s", e.msg);
		return EXIT_USAGE;
	}
	int status = fault_begin(&t, o->store);
	if (status)
		return status;
	int r = fault_find(&t, a->v[0], &f, &e);
	if (r >= 0)
		make_contract(&f, &text);
	if (r >= 0 && text.bad)
		r = -ENOMEM;
	if (r >= 0 && o->print)
		buf_span(&t.text, buf_view(&text));
	else if (r >= 0)
		r = write_contract(&t, config, &f, buf_view(&text), &e);
	return fault_end(&t, r, &e);
}

/* clang-format off */
static const struct opt opts[] = {
	{ "print", 0, OPT_FLAG, offsetof(struct contract_values, print), { NULL, NULL }, { "print it, and write no file", "只打印，不写文件" }, NULL, 0 },
	OPT_STORE(struct contract_values),
};
/* clang-format on */

const struct verb verb_fault_contract = {
	.name = "fault contract",
	.args = { "ID", "编号" },
	.brief = { "write a defence contract for a fault, to be filled in", "为故障写一份待填写的防御契约" },
	.text = { "Writes tocsin/contracts/T-42-NAME.yaml (the folder is the key `contracts` of tocsin.yaml), with the test that shows the fault and what "
		  "is linked with it; a file that exists is not written over. `tocsin fault audit` calls it unreadable until trigger and guarantee are filled in.",
		  "写入 tocsin/contracts/T-42-名称.yaml（目录由 tocsin.yaml 的 `contracts` 键决定），其中包含揭示该故障的测试和已关联的防御；不会覆盖已有文件。填好 trigger 和 guarantee 之前，`tocsin fault audit` 会判其无法读取。" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct contract_values),
	.run = run,
};
