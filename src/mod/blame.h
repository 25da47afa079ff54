#ifndef MOD_BLAME_H
#define MOD_BLAME_H

#include "model/cause.h"

/*
 * What exactly failed, read from an error of the go command: the innermost request that it names, the module and version, the
 * status, and which setting decides on it. Spans point into text; an absent one is not said there. Pure.
 */
struct blame {
	struct span module, version; /* as go writes them */
	struct span url;             /* the last that is named */
	struct span host;            /* of it, with its port */
	int status;                  /* of HTTP; 0: no answer came, or none is told */
	bool sumdb;                  /* the checksum database was asked */
	const char *layer;           /* "DNS", "connection", "TLS", "HTTP", "checksum", "checksum database", "git", … never translated */
	const char *variable;        /* GOPROXY, HTTPS_PROXY, GOSUMDB, GOPRIVATE, SSL_CERT_FILE, …; NULL: none decides */
};
void blame_read(struct span text, enum cause cause, struct blame *ret);
const char *blame_layer_title(const char *layer); /* for people, in their language */
/* The module of a proxy's address, unescaped, when base is known ("BASE/ESC/@v/V.zip"); false: it names none. */
struct buf;
bool blame_module(struct span url, struct span base, struct buf *module, struct buf *version);
/* A line "module version hash" of what did not match: "downloaded: h1:…", "go.sum: h1:…". Absent: not told. */
struct blame_hashes {
	struct span downloaded, expected;
	struct span by; /* "go.sum" or the checksum database's name */
	bool go_mod;    /* of go.mod, not of the zip */
};
bool blame_hashes(struct span text, struct blame_hashes *ret);
#endif
