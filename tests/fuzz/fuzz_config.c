/* Any bytes as tocsin.yaml: values, or sentences with their place. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* The bytes under a name, in memory. */
static const char *as_file(const uint8_t *data, size_t size)
{
	static char path[64];
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("tocsin.yaml", 0);
	check(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static void check_config(const struct config *c)
{
	for (size_t i = 0; i < c->n_errors; i++)
		check(c->errors[i].text && strstr(c->errors[i].text, c->errors[i].file) == c->errors[i].text);
	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		CLEANUP(buf_free) struct buf where = { 0 };
		size_t n;
		config_origin(c, id, &where);
		check(where.len > 0);
		const char *const *list = config_list(c, id, &n);
		check(list && !list[n]);
		check(!config_is_set(c, id) || config_is_top(id));
	}
	for (size_t i = 0; i < c->n_quarantine; i++)
		check(c->quarantine[i].test && c->quarantine[i].until);
	for (size_t i = 0; i < c->n_channels; i++)
		check(config_channel_named(c, c->channels[i].name) && c->channels[i].type);
	for (size_t i = 0; i < c->n_routes; i++)
		check(c->routes[i].to.n && c->routes[i].level >= 1 && c->routes[i].level <= 3 && c->routes[i].zone);
	for (size_t i = 0; i < c->n_silences; i++)
		check(c->silences[i].until > 0);
	config_quarantined(c, "example.com/m/a", "TestOne/sub");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct config_places where = { .named = as_file(data, size) };
	struct config *c;
	struct err e;

	check(config_read(&where, &c, &e) == 0);
	check_config(c);
	config_free(c);
	return 0;
}
