#include "mod/policy.h"

#include "base/lang.h"

static bool has(const char *classes, char letter)
{
	return classes && strchr(classes, letter);
}

/* A cause of the module layer, or of a toolchain that is fetched like a module. */
static bool is_ours(enum cause c)
{
	const char *id = cause_table[c].id;

	return id && (!strncmp(id, "mod.", 4) || c == CAUSE_BUILD_TOOLCHAIN);
}

/* Somebody far away did not answer as he should: what needs nobody can help. */
static bool is_network(enum cause c, const char *classes)
{
	switch (c) {
	case CAUSE_MOD_DNS:
	case CAUSE_MOD_CONNECT:
	case CAUSE_MOD_TIMEOUT:
	case CAUSE_MOD_PROXY:
	case CAUSE_MOD_TLS:
		return true;
	case CAUSE_MOD_VCS:
	case CAUSE_MOD_SUMDB:
		return has(classes, 'T');
	default:
		return false;
	}
}

const char *policy_word(enum policy_do d)
{
	static const char *const words[] = { "passed", "other", "stop", "security", "retry", "mirror", "vendor", "cache" };

	return words[d];
}

/* What needs no network, the surest first. */
static bool offline(struct policy *p, struct policy_step *ret)
{
	if (p->vendor && !p->tried_vendor) {
		p->tried_vendor = true;
		*ret = (struct policy_step){ POLICY_VENDOR, 0, -1,
					     TR("the network does not help; vendor/ is there, so it is built from that",
						"网络不可用；存在 vendor/，改用它构建") };
		return true;
	}
	if (p->cache && !p->tried_cache) {
		p->tried_cache = true;
		*ret = (struct policy_step){ POLICY_CACHE, 0, -1,
					     TR("the network does not help; once more from the module cache alone, with GOPROXY=off",
						"网络不可用；以 GOPROXY=off 仅从模块缓存再试一次") };
		return true;
	}
	return false;
}

static bool another(struct policy *p, const struct policy_seen *seen, struct policy_step *ret)
{
	bool asks = has(seen->classes, 'M') || seen->hung;

	if (!asks || seen->is_private || p->mirror >= p->mirrors)
		return false;
	*ret = (struct policy_step){ POLICY_MIRROR, p->mirror, -1, TR("another proxy may serve it", "其他代理可能可用") };
	p->mirror++;
	return true;
}

static bool again(struct policy *p, const struct policy_seen *seen, struct policy_step *ret)
{
	/* Behind a first P it is a weak hope: a version that is minutes old, a refusal that passes. */
	int64_t most = has(seen->classes, 'P') && seen->classes[0] != 'T' ? 1 : p->retries;

	if ((!has(seen->classes, 'T') && !seen->hung) || p->tried >= most || p->tried >= p->retries)
		return false;
	*ret = (struct policy_step){ POLICY_AGAIN, 0, p->tried, TR("the cause passes by itself as a rule", "此类原因通常会自行恢复") };
	p->tried++;
	return true;
}

static const char *why_stop(const struct policy *p, const struct policy_seen *seen)
{
	if (p->tried || p->mirror || p->tried_vendor || p->tried_cache)
		return TR("all that could help was tried", "可能有效的办法都已尝试");
	if (seen->is_private && has(seen->classes, 'M'))
		return TR("the module is private: nobody else is asked for it", "该模块为私有：不会向其他人询问");
	if (has(seen->classes, 'C'))
		return TR("trying again does not help: a setting must change", "重试无益：需要修改设置");
	if (has(seen->classes, 'R'))
		return TR("trying again does not help: this machine lacks something", "重试无益：本机缺少资源");
	return TR("trying again does not help: a file must change", "重试无益：需要修改文件");
}

void policy_decide(struct policy *p, const struct policy_seen *seen, struct policy_step *ret)
{
	*ret = (struct policy_step){ .act = POLICY_PASSED, .backoff = -1 };
	if (!seen->failed)
		return;
	*ret = (struct policy_step){ POLICY_NOT_OURS, 0, -1, TR("it failed, and not by a module", "失败与模块无关") };
	if (!is_ours(seen->cause) || seen->told_to_stop)
		return;
	p->network = p->network || is_network(seen->cause, seen->classes);
	if (has(seen->classes, 'S')) {
		*ret = (struct policy_step){ POLICY_SECURITY, 0, -1, TR("a security stop is never tried again", "安全停止从不重试") };
		return;
	}
	/* What the sure ways came to does not matter any more: their failure is that they have it not. */
	if (p->tried_vendor || p->tried_cache) {
		if (!offline(p, ret))
			*ret = (struct policy_step){ POLICY_STOP, 0, -1, why_stop(p, seen) };
		return;
	}
	if (another(p, seen, ret) || again(p, seen, ret))
		return;
	if (p->network && offline(p, ret))
		return;
	*ret = (struct policy_step){ POLICY_STOP, 0, -1, why_stop(p, seen) };
}
