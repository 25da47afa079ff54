#ifndef CLI_CMD_H
#define CLI_CMD_H

/* Exit statuses that are Tocsin's own. */
enum { EXIT_OK = 0, EXIT_WRONG = 1, EXIT_USAGE = 2, EXIT_TIMED_OUT = 124, EXIT_OWN = 125 };
#endif
