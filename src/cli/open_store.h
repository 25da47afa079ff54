#ifndef CLI_OPEN_STORE_H
#define CLI_OPEN_STORE_H

#include "store/store.h"

/* The row of --store, for a verb whose values have `const char *store`. */
#define OPT_STORE(type)                                                                                                        \
	{                                                                                                                      \
		"store", 0, OPT_STRING, offsetof(type, store), { "URI", "URI" },                                               \
		{ "the fault library: a file, sqlite:///PATH or postgres://USER@HOST/DATABASE (else TOCSIN_STORE, tocsin.yaml, the user's own)", \
		  "故障库：文件、sqlite:///路径 或 postgres://用户@主机/数据库（默认依次取 TOCSIN_STORE、tocsin.yaml、用户自己的）" },              \
		NULL, 0                                                                                                        \
	}

/*
 * The store that --store names, else TOCSIN_STORE, tocsin.yaml, else the user's own, which is made when it is not there yet.
 * flags as of store_open.
 */
int cli_store_open(const char *flag, unsigned flags, struct store **ret, struct err *e);
#endif
