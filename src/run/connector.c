#include "run/connector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "run/tree.h"

#define QUEUE_BYTES (2 << 20)
#define TREE_MAX 65536

struct member {
	int pid;
	char *command; /* NULL until it executed something */
};

struct connector {
	int fd;
	struct loop *loop;
	struct watch *watch;
	struct connector_calls calls;
	struct map tree;
	int root;
	bool acked, lost;
	int ack_err;
};

/* Offsets in a datagram: netlink header, connector header, event. */
#define EVENT_AT (NLMSG_HDRLEN + sizeof(struct cn_msg))
#define FIELD(f) (uint32_t)(EVENT_AT + offsetof(struct proc_event, f))

/* Threads, and everything but fork, exec and exit, stay in the kernel: they would wake us for nothing. */
static void filter_attach(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(what)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(PROC_EVENT_FORK), 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(PROC_EVENT_EXIT), 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(PROC_EVENT_EXEC), 9, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(PROC_EVENT_NONE), 8, 9),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(event_data.fork.child_pid)),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(event_data.fork.child_tgid)),
		BPF_STMT(BPF_JMP | BPF_JA, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(event_data.exit.process_pid)),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(event_data.exit.process_tgid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { .len = ARRAY_LEN(code), .filter = code };

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

static int subscribe(int fd, enum proc_cn_mcast_op op)
{
	struct cn_msg cn = { .id = { CN_IDX_PROC, CN_VAL_PROC }, .len = sizeof(op) };
	char m[EVENT_AT + sizeof(op)] __attribute__((aligned(8)));
	struct nlmsghdr nl = { .nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_DONE };

	memcpy(m, &nl, sizeof(nl));
	memcpy(m + NLMSG_HDRLEN, &cn, sizeof(cn));
	memcpy(m + EVENT_AT, &op, sizeof(op));
	return send(fd, m, sizeof(m), 0) < 0 ? -errno : 0;
}

static struct member *member_get(const struct connector *c, int pid)
{
	return map_get(&c->tree, (struct span){ (const char *)&pid, sizeof(pid) });
}

static void member_free(struct member *m)
{
	if (m)
		mem_free(m->command);
	mem_free(m);
}

static void member_del(struct connector *c, int pid)
{
	member_free(map_del(&c->tree, (struct span){ (const char *)&pid, sizeof(pid) }));
}

static void member_add(struct connector *c, int pid)
{
	struct member *m = NULL;

	if (c->tree.count < TREE_MAX && !member_get(c, pid))
		m = mem_zalloc(sizeof(*m));
	if (!m)
		return;
	m->pid = pid;
	if (!map_put(&c->tree, (struct span){ (const char *)&m->pid, sizeof(m->pid) }, m))
		member_free(m);
}

static void on_exec(struct connector *c, int pid)
{
	struct member *m = member_get(c, pid);
	struct arena mem = { 0 };

	if (!m)
		return;
	if (pid != c->root) { /* the root's command is known; of the others only now */
		const char *cmd = tree_command(&mem, pid);
		mem_free(m->command);
		m->command = cmd ? mem_dup(cmd, strlen(cmd)) : NULL;
		arena_free(&mem);
	}
	c->calls.exec(c->calls.ctx, pid);
}

static void on_event(struct connector *c, const struct proc_event *ev)
{
	struct member *m;

	switch ((unsigned)ev->what) {
	case PROC_EVENT_NONE:
		if (!c->acked)
			c->ack_err = (int)ev->event_data.ack.err;
		c->acked = true;
		break;
	case PROC_EVENT_FORK:
		if (member_get(c, ev->event_data.fork.parent_tgid))
			member_add(c, ev->event_data.fork.child_tgid);
		break;
	case PROC_EVENT_EXEC:
		on_exec(c, ev->event_data.exec.process_tgid);
		break;
	case PROC_EVENT_EXIT:
		m = member_get(c, ev->event_data.exit.process_tgid);
		if (m)
			c->calls.exit(c->calls.ctx, m->pid, (int)ev->event_data.exit.exit_code, m->command);
		member_del(c, ev->event_data.exit.process_tgid);
		break;
	default:
		break;
	}
}

static bool take_one(struct connector *c)
{
	char msg[512] __attribute__((aligned(8)));
	struct sockaddr_nl from = { 0 };
	struct proc_event ev = { 0 };
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(c->fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	if (n < 0 && errno == ENOBUFS) {
		c->lost = true;
		return true;
	}
	if (n < 0)
		return errno == EINTR;
	/* Only the kernel is believed. The event is copied: behind two headers it is not aligned for its 64 bits. */
	if (from.nl_pid == 0 && n > (ssize_t)EVENT_AT) {
		size_t have = (size_t)n - EVENT_AT;
		memcpy(&ev, msg + EVENT_AT, have < sizeof(ev) ? have : sizeof(ev));
		on_event(c, &ev);
	}
	return true;
}

void connector_drain(struct connector *c)
{
	while (c && take_one(c))
		;
}

static void connector_ready(void *ctx, int fd, uint32_t events)
{
	struct connector *c = ctx;

	for (int i = 0; i < 256 && take_one(c); i++) /* bounded: the output must not wait for a busy machine */
		;
}

static int socket_open(struct err *e)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
	int size = QUEUE_BYTES;

	if (fd < 0)
		return err_set(e, errno, TR("the kernel has no process connector here: %m", "此处内核不提供进程连接器：%m"));
	filter_attach(fd);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	int r = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : subscribe(fd, PROC_CN_MCAST_LISTEN);
	if (r == 0)
		return fd;
	close(fd);
	return err_set(e, -r, TR("the process connector is not allowed: %m", "不允许使用进程连接器：%m"));
}

int connector_open(struct loop *l, const struct connector_calls *calls, struct connector **ret, struct err *e)
{
	int fd = socket_open(e);

	if (fd < 0)
		return fd;
	struct connector *c = mem_zalloc(sizeof(*c));
	if (!c) {
		close(fd);
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	}
	*c = (struct connector){ .fd = fd, .loop = l, .calls = *calls };
	connector_drain(c); /* the answer is there when send returns; in a pid namespace of its own none comes */
	int r = !c->acked || c->ack_err ? err_set(e, c->ack_err ? c->ack_err : EPERM,
			TR("the process connector is not allowed: %m", "不允许使用进程连接器：%m")) :
		loop_fd(l, fd, EPOLLIN, connector_ready, c, &c->watch, e);
	if (r < 0) {
		connector_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

void connector_root(struct connector *c, int pid)
{
	c->root = pid;
	member_add(c, pid);
}

bool connector_lost(const struct connector *c)
{
	return c->lost;
}

void connector_close(struct connector *c)
{
	size_t at = 0;

	if (!c)
		return;
	loop_remove(c->loop, c->watch);
	subscribe(c->fd, PROC_CN_MCAST_IGNORE); /* older kernels count listeners and do not see a close */
	close(c->fd);
	for (struct member *m; (m = map_next(&c->tree, &at)) != NULL;)
		member_free(m);
	map_free(&c->tree);
	mem_free(c);
}
