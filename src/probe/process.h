#ifndef PROBE_PROCESS_H
#define PROBE_PROCESS_H

#include "model/report.h"
#include "probe/probe.h"

/*
 * Running processes of this machine: which executable each runs, and whether the file at its path is still that one. All is read
 * from /proc; nothing is stopped or traced. What belongs to others may not be readable: then it says so.
 */
enum disk_state {
	DISK_UNKNOWN,   /* disk_why says why */
	DISK_SAME,      /* the very file that runs */
	DISK_REWRITTEN, /* another file, of the same content: go build writes anew even when nothing changed */
	DISK_REPLACED,  /* another file, of another content */
	DISK_GONE,      /* there is none any more */
};
const char *disk_state_word(enum disk_state s); /* "same", "rewritten", "replaced", "gone", "unknown" */

struct image_file { /* an executable file, read once however many run it */
	uint64_t dev, ino, size;
	int64_t mtime; /* wall, ns */
	struct probe probe;
	int failed; /* -errno of probe_fd: it is no binary that we read */
	const char *why;
	bool build_only; /* only its headers and build info were read */
};
struct proc_port {
	struct span protocol; /* "tcp", "tcp6" */
	const char *address;  /* "127.0.0.1:8080", "[::]:443" */
	int port;
};
struct process {
	int pid, uid;
	uint64_t ticks;      /* when it started, since boot: tells it from a later one of that number */
	int64_t started;     /* wall, ns; 0: not known */
	const char *exe;     /* the path that it runs, without " (deleted)"; NULL: not readable */
	bool deleted;        /* the kernel says that this file has no name any more */
	bool elsewhere;      /* its root is another than ours: a container */
	const char *command; /* its command line, secrets taken out */
	const char *cgroup;  /* NULL: not readable */
	struct list env;     /* "GODEBUG=…": variables that change how Go runs; secrets taken out */
	bool env_unread;
	struct proc_port *ports;
	size_t n_ports, cap_ports;
	bool ports_unread;
	struct image_file *image; /* that runs; NULL: not readable, see why */
	struct image_file *file;  /* at its path now; NULL: none, or the same as image */
	enum disk_state disk;
	const char *disk_why;
	const char *why; /* it could not be read, why; NULL */
};
struct space;
struct processes {
	struct arena mem;
	struct process *v;
	size_t n, cap;
	struct image_file **files;
	size_t n_files, cap_files;
	size_t unread;             /* processes whose executable we may not read */
	size_t others;             /* not of Go: passed over */
	struct space *spaces;      /* network namespaces that were looked at (ports.c) */
	uint64_t own_dev, own_ino; /* of our own root folder */
	int64_t boot;              /* wall, ns */
	const char *root;          /* of /proc; for tests */
};
struct process_options {
	bool go_only;     /* others are counted, and not kept */
	bool whole;       /* read images whole, not their build info alone */
	bool no_ports;    /* do not look which it listens on: the tables of the kernel are slow to read */
	int port;         /* only who listens there; 0: whoever */
	const char *proc; /* NULL: /proc */
};

/* One process; -ENOENT, -ESRCH: there is none. */
int process_read(struct processes *ps, int pid, const struct process_options *o, struct process **ret,
		 struct err *e);
/* All, in the order of their numbers. What ends meanwhile is left out. */
int process_read_all(struct processes *ps, const struct process_options *o, struct err *e);
/* The image of a process of this number, opened anew: -1 and errno. It is the running one, whatever is at its path. */
int process_open_image(int pid);
uint64_t process_ticks(int pid); /* 0: there is none */
/* Is the content alike: the build IDs' last part, else the GNU ID, else the bytes (fds). -errno: it cannot be told. */
int image_same(const struct image_file *a, const struct image_file *b);
/* Forget the processes, so that they can be read anew; the images that they run need not be. */
void processes_again(struct processes *ps);
void processes_free(struct processes *ps);
void processes_free_cleanup(struct processes *ps);
/* act.stale_process, when it is so: a finding of r. */
void process_judge(const struct process *p, struct report *r);
#endif
