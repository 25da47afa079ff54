#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "cli/alarm.h"
#include "cli/attempt.h"
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/history.h"
#include "cli/modules.h"
#include "cli/run_config.h"
#include "cli/sarif.h"
#include "cli/service.h"
#include "model/redact_report.h"
#include "parse/gotest.h"
#include "run/owners.h"

static const char *const on_fail_names[] = { "abort", "alert", "record", NULL };
static const char *const class_names[] = { "transient", "mirror", "config", "resource", "permanent", NULL };

#define AT(field) offsetof(struct run_values, field)
/* clang-format off */
#define NO_ARG { NULL, NULL }
/* clang-format on */

/* clang-format off */
const struct opt run_opts[] = {
	{ "report", 0, OPT_FILE, AT(report), { "FILE|-", "文件|-" },
	  { "write the report as JSON when the run ends; - is standard output, as its last line",
	    "运行结束时写出 JSON 报告；- 表示标准输出的最后一行" }, NULL, 0 },
	{ "junit", 0, OPT_FILE, AT(junit), { "FILE", "文件" }, { "write JUnit XML", "写出 JUnit XML" }, NULL, 0 },
	{ "sarif", 0, OPT_FILE, AT(sarif), { "FILE", "文件" }, { "write the findings as SARIF 2.1.0", "以 SARIF 2.1.0 写出发现" }, NULL, 0 },
	{ "jsonfile", 0, OPT_FILE, AT(jsonfile), { "FILE", "文件" },
	  { "keep the go test -json stream of all attempts, as --log does", "保存所有尝试的 go test -json 流，处理同 --log" }, NULL, 0 },
	{ "log", 0, OPT_FILE, AT(log), { "FILE", "文件" },
	  { "keep the whole output, secrets replaced, else byte for byte; a name that ends in .zst is compressed",
	    "保存全部输出：密钥等机密替换掉，其余逐字节不变；以 .zst 结尾则压缩" }, NULL, 0 },
	{ "redact-output", 0, OPT_FLAG, AT(redact_output), NO_ARG,
	  { "replace secrets in what the command prints, too; without it its own output is shown as it is (every format but raw is always without "
	    "them). What may be the beginning of a secret is shown a tenth of a second later",
	    "命令自身的输出也去除机密；默认原样显示（除 raw 外，各显示方式总是去除）。可能是机密开头的内容会晚十分之一秒显示" }, NULL, 0 },
	{ "reap", 0, OPT_FLAG, AT(reap), NO_ARG,
	  { "end processes that outlive the command (else they are left and named)", "结束命令退出后仍在运行的进程（默认保留并列出）" }, NULL, 0 },
	{ "timeout", 0, OPT_DURATION, AT(timeout), { "D", "时长" },
	  { "end the command after this time (90s, 10m); exit status 124", "超过此时间后结束命令（90s、10m）；退出码 124" }, NULL, 0 },
	{ "stall", 0, OPT_DURATION, AT(stall), { "D", "时长" },
	  { "end it after this time without output or progress; exit status 124. Of modules (mod download, --modules): end a download of which nothing comes for so long (60s), and go on as the cause says",
	    "在此时间内没有输出和进展则结束命令；退出码 124。对模块（mod download、--modules）：结束在此时间内没有任何数据的下载（60s），再按原因处理" }, NULL, 0 },
	{ "grace", 0, OPT_DURATION, AT(grace), { "D", "时长" },
	  { "time between SIGQUIT, SIGTERM and SIGKILL (2s)", "SIGQUIT、SIGTERM、SIGKILL 之间的间隔（2s）" }, NULL, 2 * NSEC_PER_SEC },
	{ "retry", 0, OPT_INT, AT(retry), { "N", "N" },
	  { "run again at most N times when the cause is worth it (0; of modules, by mod download and --modules: 3)", "原因值得重试时，最多再运行 N 次（0；mod download 与 --modules 的模块原因：3）" }, NULL, 0 },
	{ "retry-on", 0, OPT_CSV, AT(retry_on), { "CLASS,…", "类别,…" },
	  { "what is worth it: transient (the default), mirror, config, resource, permanent, or a cause id; never security",
	    "值得重试的类别：transient（默认）、mirror、config、resource、permanent，或原因 id；security 从不重试" }, class_names, 0 },
	{ "on-fail", 0, OPT_WORD, AT(on_fail), { "POLICY", "策略" },
	  { "abort: fail the step (default); alert: the same, by the name of the stage's policy; both tell the channels of "
	    "tocsin.yaml; record: write it down, tell nobody and exit 0",
	    "abort：步骤失败（默认）；alert：与之相同，用作阶段策略的名称；两者都通知 tocsin.yaml 中的渠道；record：只记录，不通知，退出码 0" }, on_fail_names, 0 },
	{ "strict", 0, OPT_FLAG, AT(strict), NO_ARG,
	  { "suspicions, and the outcomes empty and unstable, make the run fail", "可疑情况以及 empty、unstable 结果也算失败" }, NULL, 0 },
	{ "no-store", 0, OPT_FLAG, AT(no_store), NO_ARG,
	  { "record nothing in the fault library", "不记入故障库" }, NULL, 0 },
	{ "store", 0, OPT_STRING, AT(store), { "URI", "URI" },
	  { "the fault library: a file, sqlite:///PATH or postgres://USER@HOST/DATABASE (else TOCSIN_STORE, tocsin.yaml, the user's own)",
	    "故障库：文件、sqlite:///路径 或 postgres://用户@主机/数据库（默认依次取 TOCSIN_STORE、tocsin.yaml、用户自己的）" }, NULL, 0 },
	{ "config", 0, OPT_FILE, AT(config), { "FILE", "文件" },
	  { "a tocsin.yaml that comes before the project's, the user's and the system's", "优先于项目、用户和系统配置的 tocsin.yaml" }, NULL, 0 },
	{ "flush", 0, OPT_DURATION, AT(flush), { "D", "时长" },
	  { "wait at most this time for the alerts of this run to be delivered, and name those that are not (10s in a CI that is known, else not at all)",
	    "最多等待这么久以投递本次运行的告警，并列出未送达的（已知的 CI 中为 10s，否则不等待）" }, NULL, 0 },
	{ "spool", 0, OPT_STRING, AT(spool), { "DIR", "目录" },
	  { "write the alerts that were not delivered by then to this folder, to be kept as an artifact and sent by `tocsin alert send --spool DIR` elsewhere",
	    "把届时未送达的告警写入此目录，作为产物保存，由别处的 `tocsin alert send --spool DIR` 发送" }, NULL, 0 },
	{ "require-signed", 0, OPT_FLAG, AT(require_signed), NO_ARG,
	  { "run the command only if go.mod, go.sum, go.work and vendor/modules.txt are what was signed: see `tocsin mod sign`",
	    "仅当 go.mod、go.sum、go.work 和 vendor/modules.txt 与签名时一致才运行：见 `tocsin mod sign`" }, NULL, 0 },
	{ "signed-by", 0, OPT_LIST, AT(signed_by), { "FILE", "文件" },
	  { "a public key in PEM whose signature counts for --require-signed; may be repeated", "--require-signed 所信任的公钥（PEM）；可重复" }, NULL, 0 },
	{ "mirror", 0, OPT_LIST, AT(mirror), { "URL", "URL" },
	  { "a module proxy to be asked when one fails, before those of `mirrors` in tocsin.yaml; may be repeated; of mod download and --modules",
	    "代理出错时询问的模块代理，先于 tocsin.yaml 的 `mirrors`；可重复；用于 mod download 和 --modules" }, NULL, 0 },
	{ "require-active", 0, OPT_INPUT, AT(require_active), { "FILE", "文件" },
	  { "run the command only if the binary that FILE names, else the command itself, is as FILE expects: see `tocsin probe --expect`",
	    "仅当文件中指定的二进制（否则为命令本身）符合文件中的预期才运行：见 `tocsin probe --expect`" }, NULL, 0 },
	{ "format", 'f', OPT_WORD, AT(format), { "NAME", "名称" },
	  { "what is shown: auto, raw, dots, pkgname, testname, verbose, quiet or github (see below)",
	    "显示方式：auto、raw、dots、pkgname、testname、verbose、quiet 或 github（见下文）" }, view_format_names, 0 },
	{ "pty", 0, OPT_FLAG, AT(pty), NO_ARG, { "give the command a terminal", "为命令分配终端" }, NULL, 0 },
	{ "rerun-fails", 0, OPT_MAYBE, AT(rerun), { "N", "N" },
	  { "run failed tests again, only them, up to N times (2)", "只重跑失败的测试，最多 N 次（2）" }, NULL, 2 },
	{ "rerun-max-failures", 0, OPT_INT, AT(rerun_max), { "N", "N" },
	  { "do not run them again when more than N failed (10)", "失败数超过 N 时不重跑（10）" }, NULL, 10 },
	{ "allow-masked", 0, OPT_LIST, AT(allow_masked), { "GLOB", "模式" },
	  { "a nested command that may fail unseen, e.g. 'go vet *'; may be repeated", "允许失败而不报告的内层命令，如 'go vet *'；可重复" }, NULL, 0 },
	{ "panics", 0, OPT_FLAG, AT(panics), NO_ARG,
	  { "make every panic visible, recovered or not (rebuilds with an overlay of the runtime)", "显示所有 panic，包括被 recover 的（用运行时 overlay 重新编译）" }, NULL, 0 },
	{ "goroutines", 0, OPT_FLAG, AT(goroutines), NO_ARG,
	  { "name the goroutines that each test binary leaves behind, also when it passes (tests are rebuilt with an overlay of package testing)",
	    "列出每个测试程序结束时遗留的 goroutine，即使测试通过（用 testing 包的 overlay 重新编译测试）" }, NULL, 0 },
	{ "service", 0, OPT_FLAG, AT(service), NO_ARG,
	  { "watch a long-lived service: panics, recovered or not, and hangs are found, told and recorded while it lives; ended by a stop signal that was passed on, it is passed",
	    "监督长期运行的服务：运行中的 panic（包括被 recover 的）和卡死会立即发现、告警并记录；因转发的停止信号而结束算通过" }, NULL, 0 },
	{ "health", 0, OPT_STRING, AT(health), { "URL", "URL" },
	  { "ask http://127.0.0.1:8080/healthz again and again; a service that does not answer well, and uses no CPU time or spins, hangs; needs --service",
	    "反复请求 http://127.0.0.1:8080/healthz；应答失败且不占 CPU 或空转即为卡死；需要 --service" }, NULL, 0 },
	{ "health-every", 0, OPT_DURATION, AT(health_every), { "D", "时长" }, { "between two checks (10s)", "两次检查之间的间隔（10s）" }, NULL, 0 },
	{ "health-fails", 0, OPT_INT, AT(health_fails), { "N", "N" }, { "failures one after the other before it counts (3)", "连续失败多少次才算（3）" }, NULL, 0 },
	{ "on-hang", 0, OPT_WORD, AT(on_hang), { "WHAT", "动作" },
	  { "tell: say it, and leave the service alone (default); end: SIGQUIT, so that it prints its goroutines, SIGTERM, SIGKILL; exit status 124",
	    "tell：只报告，不动服务（默认）；end：SIGQUIT（打印 goroutine）、SIGTERM、SIGKILL；退出码 124" }, on_hang_names, 0 },
	{ "restart", 0, OPT_WORD, AT(restart), { "WHEN", "何时" },
	  { "on-crash: start it again after a panic, a fatal error, a signal from outside or a hang that was ended; never (default)",
	    "on-crash：panic、致命错误、外部信号或因卡死被结束后重新启动；never：不重启（默认）" }, restart_names, 0 },
	{ "restart-delay", 0, OPT_DURATION, AT(restart_delay), { "D", "时长" },
	  { "the first wait (1s); it doubles up to 5m, and begins anew when the service lived ten times as long as the wait before it",
	    "首次等待（1s）；逐次加倍直到 5m；服务运行时间达到上次等待的十倍后重新计" }, NULL, 0 },
	{ "pprof", 0, OPT_STRING, AT(pprof), { "URL", "URL" },
	  { "where the service offers net/http/pprof, on loopback: snapshots then hold goroutines and heap, and of a hang or on SIGUSR1 a CPU profile and a trace",
	    "服务的 net/http/pprof 地址（回环）：快照会包含 goroutine 和堆，卡死或收到 SIGUSR1 时还有 CPU profile 和 trace" }, NULL, 0 },
	{ "pprof-anywhere", 0, OPT_FLAG, AT(pprof_anywhere), NO_ARG, { "--pprof may name another machine", "--pprof 可以是其他机器" }, NULL, 0 },
	{ "snapshots", 0, OPT_STRING, AT(snapshots), { "DIR", "目录" },
	  { "where snapshots of a service are kept (snapshots in the state folder)", "服务快照的保存位置（默认为状态目录下的 snapshots）" }, NULL, 0 },
	{ "snapshot-budget", 0, OPT_STRING, AT(snapshot_budget), { "SIZE", "大小" },
	  { "what all snapshots may take (256MiB): the oldest go first", "全部快照可占用的空间（256MiB）：先删除最旧的" }, NULL, 0 },
	{ "quarantine", 0, OPT_FLAG, AT(quarantine), NO_ARG,
	  { "failed tests that tocsin.yaml lists under quarantine, and whose date has not passed, are reported but do not fail the step",
	    "tocsin.yaml 的 quarantine 中未过期的失败测试只报告，不使步骤失败" }, NULL, 0 },
	{ "modules", 0, OPT_FLAG, AT(modules), NO_ARG,
	  { "when modules cannot be loaded, try again, ask other proxies, and end a download that hangs (60s, or --stall); see `tocsin mod download`",
	    "模块加载失败时重试、换用其他代理，并结束卡住的下载（60s 或 --stall）；见 `tocsin mod download`" }, NULL, 0 },
};
/* clang-format on */

/* ---- what was asked for ---- */

static int check_retry(const struct run_values *o, struct err *e)
{
	const char *ids[CAUSE_COUNT + 8];
	char hint[128];
	size_t n = 0;

	for (size_t i = 0; class_names[i]; i++)
		ids[n++] = class_names[i];
	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++)
		ids[n++] = cause_table[c].id;
	for (size_t i = 0; i < o->retry_on.n; i++) {
		const char *word = o->retry_on.v[i];
		enum cause c = cause_by_id(span_of(word));
		if (!strcmp(word, "security") || (c && strchr(cause_table[c].classes, 'S')))
			return err_set(e, EINVAL,
				       TR("--retry-on %s: a security failure is never tried again",
					  "--retry-on %s：安全类失败从不重试"),
				       word);
		if (!c && !class_letter(span_of(word)))
			return err_set(e, EINVAL,
				       TR("--retry-on: unknown class or cause '%s'%s",
					  "--retry-on：未知的类别或原因“%s”%s"),
				       word, opt_hint(word, ids, n, "", hint));
	}
	if (o->retry_on.n && !o->retry)
		return err_set(e, EINVAL,
			       TR("--retry-on needs --retry N", "--retry-on 需要与 --retry N 一起使用"));
	return 0;
}

static bool stream_is_there(const struct session *s)
{
	return s->cmd.is_test && s->cmd.has_json;
}

/* raw leaves all as it is; every other format reads the stream and shows it. */
static int pick_format(struct session *s, struct err *e)
{
	const struct run_values *o = s->o;
	const struct format *f = view_format(view_format_names[o->format]);
	bool wants = o->jsonfile || o->junit || o->rerun;

	if (f == &format_auto && o->service) {
		f = &format_raw;
	} else if (f == &format_auto) {
		bool shown = isatty(STDOUT_FILENO) || ci_known() || wants;
		bool plain = !s->cmd.is_test || s->cmd.has_json || s->cmd.has_bench || s->cmd.has_fuzz ||
			     o->pty;
		f = shown && !plain ? &format_pkgname : &format_raw;
	}
	s->format = f;
	s->json = !f->raw && s->cmd.is_test;
	if (o->rerun && !s->cmd.is_test)
		return err_set(
			e, EINVAL,
			TR("--rerun-fails works with go test only: tocsin run --rerun-fails -- go test ./...",
			   "--rerun-fails 只能用于 go test：tocsin run --rerun-fails -- go test ./..."));
	if (o->rerun && !s->json)
		return err_set(
			e, EINVAL,
			TR("--rerun-fails reads the test stream: choose another --format than raw, without --pty, -json, -bench, -fuzz",
			   "--rerun-fails 需要读取测试流：请使用 raw 以外的 --format，且不带 --pty、-json、-bench、-fuzz"));
	if (o->jsonfile && s->cmd.is_test && !s->json && !stream_is_there(s))
		return err_set(
			e, EINVAL,
			TR("--jsonfile needs the test stream: choose another --format than raw, or add -json to go test",
			   "--jsonfile 需要测试流：请使用 raw 以外的 --format，或给 go test 加上 -json"));
	return 0;
}

static int rewrite(struct session *s, struct err *e)
{
	s->argv = s->user;
	if (!s->json)
		return 0;
	int r = gocmd_with_json(&s->mem, &s->user, &s->argv, e);
	return r < 0 ? r : 0;
}

/* Somebody else's output may hold a stream too (make ci, with -json inside): its events are kept. */
static void keep_event(void *ctx, struct span line, bool cut)
{
	struct session *s = ctx;
	struct gotest_event ev;

	if (cut || !gotest_maybe(line) || !gotest_read(line, &ev))
		return;
	sink_write(s->jsonfile, line);
	sink_write(s->jsonfile, S("\n"));
}

/* A file that cannot be made is said, and does not keep the command from running. */
static void open_files(struct session *s)
{
	struct err e;

	if (s->o->log && sink_open_redacted(s->o->log, s->redact, &s->log, &e) < 0)
		session_note(s, e.msg);
	if (s->o->jsonfile && sink_open_redacted(s->o->jsonfile, s->redact, &s->jsonfile, &e) < 0)
		session_note(s, e.msg);
	if (s->o->junit && junit_open(s->o->junit, s->o->rerun || s->o->retry, &s->junit, &e) < 0)
		session_note(s, e.msg);
	s->events = (struct lines){ .fn = keep_event, .ctx = s };
}

static int64_t count_packages(const struct session *s)
{
	if (!s->json || !isatty(STDOUT_FILENO))
		return 0;
	return where_count(s->cmd.dir, s->where.module, s->user.v + s->cmd.at_packages, s->cmd.n_packages);
}

/* What is put into GOPROXY must be one entry of it. */
static int check_mirrors(const struct run_values *o, struct err *e)
{
	for (size_t i = 0; i < o->mirror.n; i++) {
		struct span u = span_of(o->mirror.v[i]);
		bool fine = span_starts(u, S("https://")) || span_starts(u, S("http://")) || span_starts(u, S("file:///"));
		if (!fine || strpbrk(o->mirror.v[i], ",| \t\n"))
			return err_set(e, EINVAL, TR("--mirror %s: not an address such as https://goproxy.cn or file:///srv/modules", "--mirror %s：不是 https://goproxy.cn 或 file:///srv/modules 这样的地址"), o->mirror.v[i]);
	}
	if (o->mirror.n && !o->modules)
		return err_set(e, EINVAL, TR("--mirror needs --modules", "--mirror 需要与 --modules 一起使用"));
	return 0;
}

static int session_open(struct session *s, const struct run_values *o, const struct args *a, struct err *e)
{
	s->o = o;
	s->user = (struct argv){ a->v, a->n };
	gocmd_read(&s->user, &s->cmd);
	int r = pick_format(s, e);
	if (r == 0)
		r = rewrite(s, e);
	if (r < 0)
		return r;
	where_read(&s->mem, s->cmd.dir, &s->where);
	r = modules_open(s, e);
	if (r == 0)
		r = view_open(&s->view, s->format, s->json, count_packages(s), e);
	if (r == 0 && o->service)
		r = service_open(s, e);
	if (r == 0)
		open_files(s);
	return r;
}

static void session_close(struct session *s)
{
	alarm_close(s);
	service_close(s);
	modules_close(s);
	judge_free(s->judge);
	collect_free(&s->tests);
	owners_close(s->owners);
	config_free(s->config);
	lines_free(&s->events);
	view_close(&s->view);
	usual_free(&s->usual);
	arena_free(&s->mem);
}

/* ---- running ---- */

static bool is_stop(const struct session *s, const struct report *r)
{
	return s->stopped || r->ending.stop == STOP_SIGNAL;
}

static void say_retry(struct session *s, const struct report *r, int64_t attempt, int64_t delay)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char wait[24];

	duration_text(delay, wait);
	buf_addf(&text,
		 TR("attempt %lld failed (%s: %s); trying again in %s, %lld of %lld retries",
		    "第 %lld 次尝试失败（%s：%s）；%s 后重试，第 %lld 次，最多 %lld 次"),
		 (long long)attempt, cause_table[r->cause].id, r->summary ? r->summary : "", wait,
		 (long long)attempt, (long long)s->o->retry);
	CLEANUP(buf_free) struct buf clean = { 0 };
	redact_text(s->redact, buf_view(&text), &clean);
	view_say(&s->view, buf_str(&clean));
}

/* Is there to be another attempt, and after which delay? It is said. *tried counts those of --retry. */
static bool again(struct session *s, struct report *r, int64_t attempt, int64_t *tried, int64_t *delay)
{
	enum modules_next next = s->mods ? modules_next(s, r, delay) : MODULES_OTHER;

	if (next != MODULES_OTHER)
		return next == MODULES_AGAIN;
	if (*tried >= s->o->retry || !retry_wanted(s, r))
		return false;
	*delay = retry_delay((*tried)++);
	say_retry(s, r, attempt, *delay);
	return true;
}

/* The first failure, and the last one of the network: what is told when even what needs no network has failed. */
struct earlier {
	struct report first, network;
};

static void put_away(struct session *s, struct report *r, struct earlier *was)
{
	if (!was->first.is_run)
		was->first = *r;
	else if (modules_offline(s) && !was->network.is_run)
		was->network = *r;
	else
		report_free(r);
	*r = (struct report){ 0 };
}

static void conclude(struct session *s, struct report *r, struct earlier *was)
{
	if (was->first.is_run && r->outcome == OUTCOME_PASSED) {
		if (s->mods && s->mods->rung != POLICY_PASSED)
			modules_recovered(s, r, &was->first);
		else
			retry_unstable(r, &was->first);
	} else if (modules_offline(s)) {
		struct report *real = was->network.is_run ? &was->network : &was->first;
		report_free(r);
		*r = *real;
		*real = (struct report){ 0 };
	}
}

/* All attempts. *r is the last one's report, with what the earlier ones mean for it. */
static int run_attempts(struct session *s, struct report *r, struct err *e)
{
	struct earlier was = { 0 };
	int64_t took = 0, began = 0, tried = 0, delay = 0;
	int n = 0;

	for (int64_t i = 0;; i++) {
		n = attempt_run(s, &s->argv, false, r, e);
		if (n < 0)
			break;
		began = began ? began : r->started;
		took += r->duration_ns;
		if (!again(s, r, i + 1, &tried, &delay))
			break;
		if (session_sleep(s, delay)) {
			session_note(s, TR("told to end while waiting for the next attempt: not tried again",
					   "等待重试时收到结束信号：不再重试"));
			break;
		}
		put_away(s, r, &was);
		junit_again(s->junit, true);
	}
	if (n == 0) {
		conclude(s, r, &was);
		r->duration_ns = took;
		r->started = began;
	}
	report_free(&was.first);
	report_free(&was.network);
	return n;
}

static int exit_status(const struct session *s, const struct report *r)
{
	const struct run_values *o = s->o;
	const struct ending *e = &r->ending;

	if (o->on_fail == ON_FAIL_RECORD || s->excused)
		return EXIT_OK;
	if (e->stop == STOP_TIMEOUT || e->stop == STOP_STALL)
		return EXIT_TIMED_OUT;
	if (e->how == END_NOT_STARTED)
		return e->code;
	if (e->how == END_SIGNAL)
		return 128 + e->sig;
	if (e->code)
		return e->code;
	if (r->outcome == OUTCOME_EMPTY || r->outcome == OUTCOME_UNSTABLE)
		return o->strict ? EXIT_WRONG : EXIT_OK;
	return r->outcome == OUTCOME_PASSED ? EXIT_OK : EXIT_WRONG;
}

/* ---- the end ---- */

static void fill_report(struct session *s, struct report *r)
{
	ulid_make(r->started ? r->started : time_wall(), r->id);
	r->argv = s->user;
	r->cwd = s->where.shown;
	ci_read(&r->mem, &r->ci);
	r->go_version = s->cmd.is_go ? gocmd_version(&r->mem, &s->user) : NULL;
	r->resources = s->used;
	r->attempts = s->tries;
	r->n_attempts = s->n_tries;
	r->log_path = s->log ? s->o->log : NULL;
	s->excused = s->o->quarantine && history_quarantine(s, r);
	r->exit_code = exit_status(s, r);
	if (!s->o->no_store)
		history_facts(s, r);
}

/* From here on nothing secret is in it: it is shown, written, stored and sent. */
static void clean_report(struct session *s, struct report *r)
{
	if (report_redact(s->redact, r) < 0)
		session_note(s, TR("no memory to take the secrets out of some texts: they are left out", "内存不足，无法清除部分文本中的机密：这些文本已省略"));
}

static void close_files(struct session *s, struct report *r)
{
	struct err e;

	lines_end(&s->events);
	if (sink_close(s->log, &e) < 0)
		session_note(s, e.msg);
	if (sink_close(s->jsonfile, &e) < 0)
		session_note(s, e.msg);
	junit_report(s->junit, r);
	if (junit_close(s->junit, &e) < 0)
		session_note(s, e.msg);
	s->log = s->jsonfile = NULL;
	s->junit = NULL;
}

/* What the command wrote last may not have ended its line. */
static bool mid_line(const struct session *s, const struct term *to)
{
	bool out = s->last_out && s->last_out != '\n', err = s->last_err && s->last_err != '\n';

	if (s->json)
		return false;
	return to->fd == STDOUT_FILENO ? out : err || (out && s->view.out.tty && to->tty);
}

/* Where an outer run speaks for us, only the view is ended. */
static void print_verdict(struct session *s, const struct report *r, bool speak)
{
	struct term *t = s->json ? &s->view.out : &s->view.err;

	if (s->format->end)
		s->format->end(&s->view, r);
	if (speak)
		verdict_print(r, s->format, t, &s->view.text);
	if (s->view.text.len && mid_line(s, t))
		term_put(t, S("\n"));
	view_clean(&s->view);
	term_flush(t, &s->view.text);
}

static void write_report(struct session *s, struct report *r)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	struct err e;

	if (!s->o->report)
		return;
	bool to_stdout = names_stdout(s->o->report);
	for (size_t i = 0; i < s->notes.n; i++) /* they were said when they happened */
		list_add(&r->mem, &r->limits, s->notes.v[i]);
	if (to_stdout && mid_line(s, &s->view.out))
		buf_addc(&json, '\n');
	report_json(r, &json);
	buf_addc(&json, '\n');
	if (json.bad)
		say_error(TR("no memory for the report", "内存不足，无法写出报告"));
	else if (to_stdout)
		term_put(&s->view.out, buf_view(&json));
	else if (file_replace(s->o->report, buf_view(&json), &e) < 0)
		say_error("%s", e.msg);
}

static void write_sarif(const struct session *s, const struct report *r)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct err e;

	if (!s->o->sarif)
		return;
	sarif_write(r, &text);
	if (text.bad)
		say_error(TR("no memory for %s", "内存不足，无法写出 %s"), s->o->sarif);
	else if (file_replace(s->o->sarif, buf_view(&text), &e) < 0)
		say_error("%s", e.msg);
}

static int run_session(struct session *s)
{
	struct report r = { 0 };
	struct err e;

	session_guard();
	int n = gate_check(s, &r, &e);
	if (n < 0) {
		report_free(&r);
		return n == -ENOMEM ? (say_error("%s", e.msg), EXIT_OWN) : say_usage("run", e.msg);
	}
	bool refused = n;
	n = refused ? 0 : s->service ? service_run(s, &r, &e) : run_attempts(s, &r, &e);
	if (n == 0 && !refused && s->o->rerun && !is_stop(s, &r))
		n = rerun_fails(s, &r, &e);
	if (n < 0) {
		view_say(&s->view, e.msg);
		report_free(&r);
		return EXIT_OWN;
	}
	session_hold(s, true);
	modules_tell(s, &r);
	fill_report(s, &r);
	clean_report(s, &r);
	close_files(s, &r);
	bool told = run_tell_outer(&r);
	if (s->o->no_store)
		history_owners(s, &r);
	else if (!told && s->service)
		service_record(s, &r);
	else if (!told) /* the outer run records what it hears from us */
		history_record(s, &r);
	if (!told && (!s->service || service_tells(s, &r)))
		alarm_end(s, &r);
	store_close(s->store);
	s->store = NULL;
	print_verdict(s, &r, !told);
	write_sarif(s, &r);
	write_report(s, &r);
	alarm_flush(s);
	n = r.exit_code;
	report_free(&r);
	return n;
}

/* What no flag says, tocsin.yaml may. */
static int configure(struct session *s, const struct verb *v, const struct args *a, struct run_values *o, struct err *e)
{
	struct argv user = { a->v, a->n };
	struct gocmd cmd;

	int r = history_config(s, e);
	if (r < 0)
		return r;
	gocmd_read(&user, &cmd);
	config_speak(s->config);
	CLEANUP(buf_free) struct buf snapshots = { 0 };
	config_path(s->config, CFG_SNAPSHOTS, &snapshots);
	s->snapshots = snapshots.len ? arena_str(&s->mem, buf_view(&snapshots)) : NULL;
	return run_configure(s->config, v, a, cmd.is_test, o, e);
}

int run_verb(const struct verb *v, struct run_values *o, const struct args *a)
{
	struct session s = { .o = o };
	struct err e;

	if (o->service)
		service_guard();
	o->flush_given = opt_given(v, a, "flush");
	o->retry_given = opt_given(v, a, "retry");
	int r = configure(&s, v, a, o, &e);
	if (r == 0)
		r = check_retry(o, &e);
	if (r == 0)
		r = check_mirrors(o, &e);
	if (r == 0)
		r = service_check(o, opt_given(v, a, "format"), &e);
	if (r == 0)
		r = alarm_open(&s, &e);
	if (r == 0)
		r = session_open(&s, o, a, &e);
	if (r < 0) {
		session_close(&s);
		return r == -ENOMEM ? (say_error("%s", e.msg), EXIT_OWN) : say_usage(v->name, e.msg);
	}
	history_notes(&s);
	history_usual(&s);
	r = run_session(&s);
	session_close(&s);
	return r;
}

static int run(void *values, const struct args *a)
{
	if (!a->n)
		return say_usage("run", TR("no command to run. For example: tocsin run -- go test ./...",
					   "没有要运行的命令。例如：tocsin run -- go test ./..."));
	return run_verb(verb_find("run"), values, a);
}

/* clang-format off */
static const struct opt_table tables[] = {
	{ { "Formats:", "显示方式：" }, view_format_row, 14, false },
	{ { "Exit status:", "退出状态：" }, manual_status, 10, true },
	{ { "Environment:", "环境变量：" }, manual_variable, 20, true },
};

static const struct opt_later later[] = {
	{ "trace", { "tracing processes and system calls", "跟踪进程和系统调用" } },
	{ "snapshot", { "keeping a run's evidence in a file", "把运行证据保存为文件" } },
	{ NULL, { NULL, NULL } },
};
/* clang-format on */

const struct verb verb_run = {
	.name = "run",
	.args = { "[--] COMMAND [ARG…]", "[--] 命令 [参数…]" },
	.brief = { "run a command and tell what truly happened", "运行命令并说出真实结果" },
	.text = { "Flags of Tocsin stand before the command; what follows it belongs to the command.\n\n"
		  "  tocsin run -- go test ./...\n"
		  "  tocsin run --timeout 20m --retry 2 -- go mod download\n"
		  "  tocsin run --report report.json --junit junit.xml -- make ci\n\n"
		  "Every format but raw runs `go test` with -json (a -v is taken out) and prints to stdout. In raw nothing is said at all "
		  "when the run passed without a warning. auto also chooses pkgname when --junit, --jsonfile or --rerun-fails need the "
		  "stream. A command that is not `go test` is always shown raw. What tests print is made safe in every format but raw: no "
		  "escape sequences, no workflow commands.\n\n"
		  "While a run lasts, the first `go` on PATH is Tocsin's stand-in, which starts the real one unchanged: `command -v go` shows "
		  "a file in the folder tocsin/shim of the user's cache, `readlink -f \"$(command -v go)\"` shows Tocsin itself. `go env GOROOT` "
		  "and `go version` answer as ever.\n\n"
		  "A test that failed and passed when run again, and a command that failed and passed when tried again, are unstable. --junit "
		  "has such a test once: with <flakyFailure> when it passed in the end, with <failure> and <rerunFailure> when it did not. After "
		  "--retry it has the cases of the last attempt only. The report's resources are those of all attempts: CPU time and I/O are "
		  "added, of memory the largest peak counts.",
		  "Tocsin 的选项写在命令之前；命令之后的内容都属于该命令。\n\n"
		  "  tocsin run -- go test ./...\n"
		  "  tocsin run --timeout 20m --retry 2 -- go mod download\n"
		  "  tocsin run --report report.json --junit junit.xml -- make ci\n\n"
		  "除 raw 外，各方式以 -json 运行 `go test`（去掉 -v）并输出到 stdout。raw 在通过且没有警告时什么都不说。--junit、--jsonfile、--rerun-fails "
		  "需要测试流时，auto 也选择 pkgname。不是 `go test` 的命令总是原样显示。除 raw 外，测试输出都会去除控制序列和 CI 指令。\n\n"
		  "运行期间，PATH 中的第一个 `go` 是 Tocsin 的替身，它原样启动真正的 go：`command -v go` 显示用户缓存目录 tocsin/shim 下的文件，"
		  "`readlink -f \"$(command -v go)\"` 显示 Tocsin 自身。`go env GOROOT` 和 `go version` 的结果不变。\n\n"
		  "失败后重跑通过的测试，以及失败后重试通过的命令，结果为 unstable（不稳定）。--junit 中每个测试只有一项：最终通过的带 <flakyFailure>，始终失败的带 "
		  "<failure> 和 <rerunFailure>；--retry 之后只包含最后一次尝试的测试。报告中的资源用量涵盖所有尝试：CPU 时间和读写量相加，内存取最大峰值。" },
	.opts = run_opts,
	.n_opts = ARRAY_LEN(run_opts),
	.size = sizeof(struct run_values),
	.command = true,
	.tables = tables,
	.n_tables = ARRAY_LEN(tables),
	.later = later,
	.run = run,
};
