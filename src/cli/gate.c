#include "cli/gate.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/time.h"
#include "cli/modding.h"
#include "probe/expect.h"
#include "run/spawn.h"

/* What the flags say, else the configuration, but not that of the working tree: who changes go.sum could change it too. */
static const char *const *keys_of(const struct session *s, size_t *n)
{
	if (s->o->signed_by.n) {
		*n = s->o->signed_by.n;
		return s->o->signed_by.v;
	}
	return config_list(s->config, CFG_SIGNED_BY, n);
}

static void refuse(struct report *r, enum cause cause, const char *what)
{
	r->is_run = true;
	r->ending = (struct ending){ .how = END_NOT_STARTED, .code = 1, .start_cause = cause };
	r->outcome = OUTCOME_NOT_STARTED;
	r->cause = cause;
	r->tests = (struct test_counts){ -1, -1, -1, -1, -1, -1, -1 };
	struct span said =
		r->n_findings == 1
			? report_text(r, TR("%s: %.*s", "%s：%.*s"), what, SPAN_ARG(r->findings[0].message))
			: report_text(r, TR("%s, in %zu places", "%s，共 %zu 处"), what, r->n_findings);
	r->summary = said.p;
}

/* ---- signatures ---- */

static int check_signed(struct session *s, struct report *r, struct err *e)
{
	size_t n = 0;
	const char *const *files = keys_of(s, &n);

	if (!n)
		return err_set(
			e, EINVAL,
			TR("--require-signed needs to know whose signature counts: --signed-by FILE, a public key in PEM, or signed_by in a tocsin.yaml that is not the project's",
			   "--require-signed 需要知道信任谁的签名：--signed-by 文件（PEM 公钥），或在非项目自带的 tocsin.yaml 中设置 signed_by"));
	int done = signed_gate(s->cmd.dir, NULL, files, n, &s->user, r, e);
	if (done >= 0 && r->n_findings)
		refuse(r, CAUSE_MOD_SIGNATURE,
		       TR("the modules are not what was signed", "模块与签名时不一致"));
	return done;
}

/* ---- activation ---- */

/* The binary that is meant: of the file, else what the command would execute. */
static int find_binary(struct session *s, const struct expect *x, struct buf *ret, struct err *e)
{
	if (x->binary) {
		buf_adds(ret, x->binary);
		return 0;
	}
	if (s->user.n && spawn_resolve(s->user.v[0], getenv("PATH"), ret) == 0)
		return 0;
	return err_set(e, EINVAL,
		       TR("--require-active %s: it names no `binary`, and the command is none that was found",
			  "--require-active %s：其中没有 `binary`，也找不到命令本身"),
		       s->o->require_active);
}

/* Without its binary nothing is active: that refuses the command too, and is no wrong usage. */
static int no_binary(struct report *r, const char *path, const struct err *why)
{
	struct finding *f = report_say(r, CAUSE_ACT_NOT_LINKED,
				       TR("the binary '%s' cannot be checked: %s", "无法检查二进制“%s”：%s"),
				       path, why->msg);

	if (f) {
		f->rule = "probe.binary";
		f->advice = report_text(r, "%s",
					TR("Build it, or correct what `binary` names.",
					   "请先构建它，或更正 `binary` 的路径。"));
	}
	return f ? 0 : -ENOMEM;
}

static enum cause first_error(const struct report *r)
{
	for (size_t i = 0; i < r->n_findings; i++) {
		if (r->findings[i].severity == SEV_ERROR)
			return r->findings[i].cause;
	}
	return CAUSE_NONE;
}

static void tell_warning(struct session *s, const struct finding *f)
{
	char id[CAUSE_ID_MAX];
	const char *text = arena_printf(&s->mem, "%s: %.*s", finding_cause_id(f, id), SPAN_ARG(f->message));

	if (text)
		session_note(s, text);
}

static int check_active(struct session *s, struct report *r, struct err *e)
{
	CLEANUP(expect_free) struct expect x = { 0 };
	CLEANUP(probe_free) struct probe p = { 0 };
	CLEANUP(buf_free) struct buf path = { 0 };
	struct err why = { 0 };

	int n = expect_file(&x, s->o->require_active, e);
	if (n == 0)
		n = find_binary(s, &x, &path, e);
	if (n < 0)
		return n;
	n = probe_file(buf_str(&path), NULL, &p, &why);
	n = n < 0 ? no_binary(r, buf_str(&path), &why) : expect_judge(&x, &p, r, e);
	enum cause cause = n < 0 ? CAUSE_NONE : first_error(r);
	for (size_t i = 0; n >= 0 && !cause && i < r->n_findings;
	     i++) /* warnings: of a run that goes on nobody else says them */
		tell_warning(s, &r->findings[i]);
	if (cause)
		refuse(r, cause, TR("the binary is not what is required", "二进制不符合要求"));
	return n;
}

static int ask(struct session *s, struct report *r, struct err *e)
{
	int done = s->o->require_signed ? check_signed(s, r, e) : 0;

	if (done >= 0 && !r->is_run && s->o->require_active)
		done = check_active(s, r, e);
	return done >= 0 && r->lost ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : done;
}

int gate_check(struct session *s, struct report *r, struct err *e)
{
	if (!s->o->require_signed && !s->o->require_active)
		return 0;
	*r = (struct report){ .started = time_wall() };
	int64_t began = time_mono();
	int done = ask(s, r, e);
	r->duration_ns = time_mono() - began;
	if (done < 0 || !r->is_run) {
		report_free(r);
		*r = (struct report){ 0 };
		return done < 0 ? done : 0;
	}
	return 1;
}
