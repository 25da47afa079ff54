#include "base/mem.h"
#include "base/path.h"
#include "check/ci/shell_own.h"

/* D04 in a shell: a container that takes its log along when it dies. */

/* Servers that others wrote, started beside tests: no traceback of ours is in their logs. */
static const char *const servers[] = { "postgres",   "mysql",     "mariadb",    "redis",     "valkey",
				       "mongo",      "rabbitmq",  "kafka",      "zookeeper", "nats",
				       "minio",      "etcd",      "consul",     "vault",     "elasticsearch",
				       "opensearch", "memcached", "localstack", "registry",  "nginx",
				       "traefik",    "httpbin",   "busybox",    "alpine",    "ubuntu",
				       "debian",     "selenium",  "chrome",     "jaeger",    "prometheus",
				       "grafana",    "cassandra", "clickhouse", "influxdb",  "mailhog",
				       "mailpit",    "keycloak",  "dynamodb",   "pubsub",    "toxiproxy",
				       "cockroach",  "sqlserver", "mssql" };

static bool is_server(struct span image)
{
	for (size_t i = 0; i < ARRAY_LEN(servers); i++)
		if (span_find(image, span_of(servers[i])) != SPAN_NONE)
			return true;
	return false;
}

/* -d among short options that take no value: -d, -dit. */
static bool detaches(struct span word)
{
	if (span_eq(word, S("--detach")) || span_eq(word, S("--detach=true")))
		return true;
	if (word.n < 2 || word.p[0] != '-' || word.p[1] == '-')
		return false;
	for (size_t i = 1; i < word.n; i++)
		if (!strchr("ditqP", word.p[i]))
			return false;
	return span_chr(word, 'd') != SPAN_NONE;
}

void sh_rule_docker(struct sh_walk *k, const struct sh *c)
{
	size_t at = 0, image = sh_docker_image(c, &at);
	bool removed = false, detached = false, silent = false;

	if (!image)
		return;
	for (size_t i = at; i < image; i++) {
		struct span w = sh_word(c, i);
		removed |= span_eq(w, S("--rm")) || span_eq(w, S("--rm=true"));
		detached |= detaches(w);
		silent |= span_eq(w, S("--log-driver=none")) ||
			  (span_eq(w, S("--log-driver")) && span_eq(sh_word(c, i + 1), S("none")));
	}
	if (!(removed && detached) && !silent)
		return;
	/* Who reads the log, or waits for the status, hears of it. */
	static const char *const heard[] = { " logs ", " wait ", " attach ", " inspect " };
	for (size_t i = 0; i < ARRAY_LEN(heard); i++)
		if (sh_stands(k, heard[i], 0))
			return;
	/* What a test sets up and takes down is looked at by the test. */
	if (!is_server(sh_word(c, image)) && span_find(span_of(k->f->path), S("test")) == SPAN_NONE)
		sh_say(k, RULE_D04, c, silent ? S("--log-driver none") : S("docker run --rm -d"));
}
