#include "parse/netrc.h"

#include "parse/fields.h"

static struct netrc_entry take_open(struct netrc_at *at)
{
	struct netrc_entry e = at->open;

	at->open = (struct netrc_entry){ 0 };
	if (e.login.n && e.password.n && !at->stopped)
		e.kind = NETRC_ENTRY;
	return e;
}

/* A line with an odd number of words: its last one. true: *ret is worth telling. */
static bool last_word(struct netrc_at *at, struct span word, struct netrc_entry *ret)
{
	bool stop = span_eq(word, S("default"));

	*ret = (struct netrc_entry){ .kind = stop ? NETRC_DEFAULT : NETRC_HALF, .line = at->line };
	at->stopped |= stop;
	return stop || !at->quiet;
}

/* true: *ret is filled. */
static bool read_pair(struct netrc_at *at, struct span key, struct span value, struct netrc_entry *ret)
{
	bool told = false;

	if (span_eq(key, S("machine"))) {
		if (at->open.machine.n) {
			*ret = take_open(at);
			told = true;
		}
		at->open = (struct netrc_entry){ .kind = at->stopped ? NETRC_UNREAD : NETRC_INCOMPLETE,
						 .machine = value,
						 .line = at->line };
		return told;
	}
	if (span_eq(key, S("default"))) { /* go reads on behind it */
		*ret = (struct netrc_entry){ .kind = NETRC_DEFAULT, .line = at->line };
		at->quiet = true;
		return true;
	}
	if (span_eq(key, S("login")))
		at->open.login = value;
	else if (span_eq(key, S("password")))
		at->open.password = value;
	else if (span_eq(key, S("macdef")))
		at->in_macro = true;
	if (!at->open.machine.n || !at->open.login.n || !at->open.password.n)
		return false;
	*ret = take_open(at);
	return true;
}

/* The next line that is not in a macro; false: there is none. */
static bool next_line(struct netrc_at *at)
{
	while (at->rest.n) {
		struct span line = span_cut(&at->rest, '\n');
		at->line++;
		if (!at->in_macro) {
			at->words = line;
			at->quiet = span_starts(span_trim(line), S("#")); /* a comment, to whoever wrote it */
			return true;
		}
		at->in_macro = line.n; /* a lone CR does not end it */
	}
	return false;
}

bool netrc_next(struct netrc_at *at, struct netrc_entry *ret)
{
	struct span key, value;

	for (;;) {
		while (fields_next(&at->words, &key)) {
			bool told = fields_next(&at->words, &value) ? read_pair(at, key, value, ret)
								    : last_word(at, key, ret);
			if (told)
				return true;
		}
		if (!next_line(at))
			break;
	}
	if (!at->open.machine.n)
		return false;
	*ret = take_open(at);
	return true;
}

/* The host's name alone: no port, no brackets. */
static struct span host_name(struct span place)
{
	struct span host = span_head(place, span_chr(place, '/'));

	if (span_skip(&host, S("[")))
		return span_head(host, span_chr(host, ']'));
	return span_head(host, span_chr(host, ':'));
}

static bool find_machine(struct span text, struct span name, bool old, struct netrc_entry *ret)
{
	struct netrc_at at = { .rest = text };

	while (netrc_next(&at, ret)) {
		struct span machine = ret->machine;
		if (!old) {
			span_skip(&machine, S("https://"));
			machine.n -= span_ends(machine, S("/"));
		}
		if (ret->kind == NETRC_ENTRY && span_eq(machine, name))
			return true;
	}
	*ret = (struct netrc_entry){ 0 };
	return false;
}

bool netrc_find(struct span text, struct span place, bool old, struct netrc_entry *ret)
{
	if (old)
		return find_machine(text, host_name(place), true, ret);
	place.n -= span_ends(place, S("/"));
	for (;;) {
		size_t slash = span_rchr(place, '/');
		if (find_machine(text, place, false, ret))
			return true;
		if (slash == SPAN_NONE)
			return false;
		place = span_head(place, slash);
	}
}
