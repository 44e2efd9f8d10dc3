// Whether memory can be read.
#pragma once

#include <cstddef>

#include <sys/syscall.h>
#include <unistd.h>

namespace asyncio::test {

/// A system call on a guard fails where an access would raise a signal.
inline bool readable(const std::byte* address) {
  int ends[2];
  if (::pipe(ends) != 0) return false;
  const long written = ::syscall(SYS_write, ends[1], address, 1);
  ::close(ends[0]);
  ::close(ends[1]);
  return written == 1;
}

}  // namespace asyncio::test
