#include "cli/cli.h"
#include "run/run.h"

int main(int argc, char **argv)
{
	shim_main_if_called(argc, argv);
	return cli_main(argc, argv);
}
