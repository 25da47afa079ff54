#ifndef PROBE_SBOM_H
#define PROBE_SBOM_H

#include "base/json.h"
#include "probe/probe.h"

/* The list of what a binary is made of, for other programs: from its build info alone. The same file gives the same bytes. */
enum sbom_kind { SBOM_CYCLONEDX, SBOM_SPDX };
extern const char *const sbom_names[]; /* "cyclonedx", "spdx", NULL */
/* path: of the file; mtime: of the file, wall, where the build does not say its time. -ENODATA: it has no build info. */
int sbom_write(const struct probe *p, enum sbom_kind kind, const char *path, int64_t mtime, struct buf *ret,
	       struct err *e);
#endif
