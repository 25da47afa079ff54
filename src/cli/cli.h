#ifndef CLI_CLI_H
#define CLI_CLI_H

/* The command line: finds the verb, parses its options, calls it; returns the exit status. */
int cli_main(int argc, char **argv);
#endif
