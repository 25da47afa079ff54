#include "probe/filehash.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

bool file_sha256(const char *path, unsigned char ret[SHA256_SIZE])
{
	struct sha256 s;
	struct stat st;
	char bytes[16 << 10];
	ssize_t n = -1;

	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	sha256_begin(&s);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		sha256_more(&s, (struct span){ bytes, (size_t)n });
	sha256_end(&s, ret);
	return n == 0;
}
