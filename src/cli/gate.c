#include "cli/gate.h"

#include <errno.h>

#include "base/time.h"
#include "cli/modding.h"

/* What the flags say, else the configuration, but not that of the working tree: who changes go.sum could change it too. */
static const char *const *keys_of(const struct session *s, size_t *n)
{
	if (s->o->signed_by.n) {
		*n = s->o->signed_by.n;
		return s->o->signed_by.v;
	}
	return config_list(s->config, CFG_SIGNED_BY, n);
}

static void refuse(struct report *r)
{
	r->is_run = true;
	r->ending = (struct ending){ .how = END_NOT_STARTED, .code = 1, .start_cause = CAUSE_MOD_SIGNATURE };
	r->outcome = OUTCOME_NOT_STARTED;
	r->cause = CAUSE_MOD_SIGNATURE;
	r->tests = (struct test_counts){ -1, -1, -1, -1, -1, -1, -1 };
	struct span said = r->n_findings == 1
				   ? report_text(r, TR("the modules are not what was signed: %.*s", "模块与签名时不一致：%.*s"),
						 SPAN_ARG(r->findings[0].message))
				   : report_text(r,
						 TR("the modules are not what was signed, in %zu places", "模块与签名时不一致，共 %zu 处"),
						 r->n_findings);
	r->summary = said.p;
}

int gate_check(struct session *s, struct report *r, struct err *e)
{
	size_t n = 0;

	if (!s->o->require_signed)
		return 0;
	const char *const *files = keys_of(s, &n);
	if (!n)
		return err_set(
			e, EINVAL,
			TR("--require-signed needs to know whose signature counts: --signed-by FILE, a public key in PEM, or signed_by in a tocsin.yaml that is not the project's",
			   "--require-signed 需要知道信任谁的签名：--signed-by 文件（PEM 公钥），或在非项目自带的 tocsin.yaml 中设置 signed_by"));
	*r = (struct report){ .started = time_wall() };
	int64_t began = time_mono();
	int done = signed_gate(s->cmd.dir, NULL, files, n, &s->user, r, e);
	if (done >= 0 && r->lost)
		done = err_set(e, ENOMEM, TR("no memory", "内存不足"));
	r->duration_ns = time_mono() - began;
	if (done < 0 || !r->n_findings) {
		report_free(r);
		*r = (struct report){ 0 };
		return done < 0 ? done : 0;
	}
	refuse(r);
	return 1;
}
