// Running out of descriptors, on purpose.
#pragma once

#include <sys/resource.h>

namespace asyncio::test {

/// While alive, only so many more descriptors can be opened.  Those that are open stay good.
class FewDescriptors {
 public:
  explicit FewDescriptors(int left);
  ~FewDescriptors();
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace asyncio::test
