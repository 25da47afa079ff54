#include "probe/ports.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

#define TABLE_MAX ((size_t)64 << 20)
#define FDS_MAX   100000 /* of one process that are looked at */

struct listener {
	struct span protocol;
	const char *address;
	int port;
	uint64_t inode;
};
struct space { /* a network namespace */
	uint64_t number;
	struct listener *v;
	size_t n, cap;
	struct space *next;
};

static int by_inode(const void *a, const void *b)
{
	const struct listener *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static bool hex(struct span s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s.n || s.n > 16)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int d = hex_digit(s.p[i]);
		if (d < 0)
			return false;
		v = v << 4 | (uint64_t)d;
	}
	*ret = v;
	return true;
}

/* "0100007F:1F90", words of 32 bits in the machine's byte order. */
static bool read_address(struct span text, char out[80], int *port)
{
	struct span addr = span_cut(&text, ':');
	unsigned char bytes[16];
	char name[INET6_ADDRSTRLEN];
	uint64_t v;

	if ((addr.n != 8 && addr.n != 32) || !hex(text, &v) || v > 65535)
		return false;
	*port = (int)v;
	for (size_t i = 0; i < addr.n / 8; i++) {
		if (!hex(span_head(span_from(addr, 8 * i), 8), &v))
			return false;
		uint32_t word = (uint32_t)v;
		memcpy(bytes + 4 * i, &word, 4);
	}
	if (!inet_ntop(addr.n == 8 ? AF_INET : AF_INET6, bytes, name, sizeof(name)))
		return false;
	snprintf(out, 80, addr.n == 8 ? "%s:%d" : "[%s]:%d", name, *port);
	return true;
}

static struct span word_of(struct span *rest)
{
	while (rest->n && rest->p[0] == ' ')
		*rest = span_from(*rest, 1);
	return span_cut(rest, ' ');
}

static void read_line(struct processes *ps, struct space *s, struct span line, struct span protocol)
{
	char text[80];
	int64_t inode;
	int port;

	word_of(&line);
	struct span local = word_of(&line);
	word_of(&line);
	if (!span_eq(word_of(&line), S("0A"))) /* LISTEN */
		return;
	for (int i = 0; i < 5; i++) /* queues, timer, retransmissions, user, time-out */
		word_of(&line);
	if (!span_int(word_of(&line), &inode) || inode <= 0 || !read_address(local, text, &port))
		return;
	const char *address = arena_str(&ps->mem, span_of(text));
	if (address && mem_grow(&s->v, &s->cap, s->n, sizeof(*s->v)))
		s->v[s->n++] = (struct listener){
			.protocol = protocol, .address = address, .port = port, .inode = (uint64_t)inode
		};
}

static void read_table(struct processes *ps, struct space *s, int pid, const char *protocol)
{
	CLEANUP(buf_free) struct buf text = { .max = TABLE_MAX };
	char path[300];

	snprintf(path, sizeof(path), "%s/%d/net/%s", ps->root, pid, protocol);
	if (file_slurp(path, &text, NULL) < 0)
		return;
	struct span rest = buf_view(&text);
	span_cut(&rest, '\n');
	while (rest.n)
		read_line(ps, s, span_cut(&rest, '\n'), span_of(protocol));
}

/* NULL: not readable. */
static struct space *space_of(struct processes *ps, int pid)
{
	char path[300], link[64];

	snprintf(path, sizeof(path), "%s/%d/ns/net", ps->root, pid);
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return NULL;
	uint64_t number = span_hash((struct span){ link, (size_t)n });
	for (struct space *s = ps->spaces; s; s = s->next) {
		if (s->number == number)
			return s;
	}
	struct space *s = mem_zalloc(sizeof(*s));
	if (!s)
		return NULL;
	s->number = number;
	s->next = ps->spaces;
	ps->spaces = s;
	read_table(ps, s, pid, "tcp");
	read_table(ps, s, pid, "tcp6");
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_inode);
	return s;
}

static void take(struct process *p, const struct listener *l)
{
	for (size_t i = 0; i < p->n_ports; i++) {
		if (p->ports[i].address == l->address) /* a descriptor that was duplicated */
			return;
	}
	if (mem_grow(&p->ports, &p->cap_ports, p->n_ports, sizeof(*p->ports)))
		p->ports[p->n_ports++] = (struct proc_port){ l->protocol, l->address, l->port };
}

static int by_port(const void *a, const void *b)
{
	const struct proc_port *x = a, *y = b;

	return x->port != y->port ? (x->port > y->port) - (x->port < y->port)
				  : strcmp(x->address, y->address);
}

static void look_at_fds(const struct processes *ps, struct process *p, const struct space *s)
{
	char path[300], link[64];
	struct dirent *d;
	int64_t inode;

	snprintf(path, sizeof(path), "%s/%d/fd", ps->root, p->pid);
	DIR *dir = opendir(path);
	if (!dir) {
		p->ports_unread = true;
		return;
	}
	for (int i = 0; i < FDS_MAX && (d = readdir(dir)); i++) {
		ssize_t n = d->d_name[0] == '.' ? -1 : readlinkat(dirfd(dir), d->d_name, link, sizeof(link));
		struct span text = { link, n > 0 ? (size_t)n : 0 };
		if (!span_skip(&text, S("socket:[")) || !text.n ||
		    !span_int(span_head(text, text.n - 1), &inode))
			continue;
		struct listener key = { .inode = (uint64_t)inode };
		const struct listener *l = s->n ? bsearch(&key, s->v, s->n, sizeof(*s->v), by_inode) : NULL;
		if (l)
			take(p, l);
	}
	closedir(dir);
	if (p->n_ports)
		qsort(p->ports, p->n_ports, sizeof(*p->ports), by_port);
}

void ports_read(struct processes *ps, struct process *p)
{
	const struct space *s = space_of(ps, p->pid);

	if (!s)
		p->ports_unread = true;
	else if (s->n)
		look_at_fds(ps, p, s);
}

bool ports_listens(struct processes *ps, struct process *p, int port)
{
	const struct space *s = space_of(ps, p->pid);
	bool any = false;

	for (size_t i = 0; s && i < s->n && !any; i++)
		any = s->v[i].port == port;
	if (!any)
		return false;
	look_at_fds(ps, p, s);
	for (size_t i = 0; i < p->n_ports; i++) {
		if (p->ports[i].port == port)
			return true;
	}
	ports_forget(p);
	return false;
}

void ports_forget(struct process *p)
{
	mem_free(p->ports);
	p->ports = NULL;
	p->n_ports = p->cap_ports = 0;
}

void ports_free(struct processes *ps)
{
	for (struct space *s = ps->spaces, *next; s; s = next) {
		next = s->next;
		mem_free(s->v);
		mem_free(s);
	}
	for (size_t i = 0; i < ps->n; i++)
		mem_free(ps->v[i].ports);
	ps->spaces = NULL;
}
