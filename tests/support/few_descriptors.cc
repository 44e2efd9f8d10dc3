#include <asyncio/tests/support/few_descriptors.h>

#include <vector>

#include <unistd.h>

namespace asyncio::test {

FewDescriptors::FewDescriptors(int left) {
  ::getrlimit(RLIMIT_NOFILE, &before_);
  // The limit is on the number, and a new descriptor gets the lowest that is free.
  std::vector<int> lowest;
  for (int i = 0; i <= left; ++i) lowest.push_back(::dup(0));
  rlimit few = before_;
  few.rlim_cur = static_cast<rlim_t>(lowest.back());
  for (const int fd : lowest) ::close(fd);
  ::setrlimit(RLIMIT_NOFILE, &few);
}

FewDescriptors::~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

}  // namespace asyncio::test
