#include <asyncio/io/fd.h>

#include <unistd.h>

namespace asyncio {

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace asyncio
