#ifndef MODEL_REDACT_REPORT_H
#define MODEL_REDACT_REPORT_H

#include "base/redact.h"
#include "model/report.h"

/*
 * Take the secrets out of every text of a report that came from outside. To be called once the report is complete and
 * before any of it is shown, written, stored or sent; what is not the report's own (argv) is not changed but replaced.
 * x may be NULL. -ENOMEM: some texts became "[redacted]" as a whole. The report can be used either way.
 */
int report_redact(const struct redact *x, struct report *r);
#endif
