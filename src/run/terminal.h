#ifndef RUN_TERMINAL_H
#define RUN_TERMINAL_H

#include <termios.h>

#include "loop/loop.h"
#include "run/relay.h"

/*
 * Job control. The command has a process group of its own, in the background of our terminal: ^C and ^Z
 * come to us and are passed on, and the other members of a shell's pipeline keep the terminal. Only
 * when the command itself wants the terminal (it is stopped by SIGTTIN or SIGTTOU) it is given it.
 */
struct terminal {
	int tty;      /* our controlling terminal; -1: none, -2: not looked for */
	int group;    /* of the command */
	bool wanted;  /* the command has asked for it */
	bool given;   /* and has it */
};

bool terminal_foreground(struct terminal *t); /* are we in the foreground of a terminal? */
bool terminal_give(struct terminal *t);       /* false: we have none to give */
void terminal_take(struct terminal *t);
void terminal_close(struct terminal *t);
/* Stop ourselves (whole: our group too) by this signal, as the shell expects; returns when continued. */
void terminal_stop_self(int sig, bool whole);

/* --pty: a terminal of the command's own, and ours relayed to it raw. */
struct pty {
	int master;       /* -1: no pty. For writing and asking; the relay reads from a duplicate */
	int in;           /* our terminal, for reading; -1: stdin is no terminal and stays the command's */
	struct loop *loop;
	struct watch *watch, *out; /* of in; of the master, when it is full */
	bool raw;
	struct termios saved;
	char data[4096];
	size_t at, len;   /* typed, not yet taken by the command */
	void (*suspend)(void *ctx); /* the suspend character was typed for a command that cannot stop itself */
	void *ctx;
	int group;        /* of the command */
};

int pty_open(struct pty *p, int *ret_slave, struct err *e);
int pty_start(struct pty *p, struct loop *l, struct err *e); /* raw mode, begin to relay what is typed */
void pty_resize(struct pty *p);
void pty_pause(struct pty *p);  /* our terminal as it was */
void pty_resume(struct pty *p); /* raw again, when we are in the foreground */
void pty_close(struct pty *p);
#endif
