#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <asyncio/core/detail/fork_mutex.h>

namespace asyncio::detail {
namespace {

std::atomic<bool> fork_has_begun{false};

struct Holder {
  ForkMutex& mutex;
  std::atomic<bool> holds{false};

  static void* hold_until_fork(void* argument) {
    Holder& self = *static_cast<Holder*>(argument);
    const std::lock_guard lock{self.mutex};
    self.holds = true;
    while (!fork_has_begun) std::this_thread::yield();
    for (int look = 0; look < 1000; ++look) std::this_thread::yield();
    return nullptr;
  }
};

/// Forks while another thread holds `mutex`, which it does until the fork waits for it.  True if
/// the child gets it.
bool child_gets(ForkMutex& mutex) {
  // Registered last, it is called first.
  static const int watched = ::pthread_atfork([] { fork_has_begun = true; }, nullptr, nullptr);
  EXPECT_EQ(0, watched);
  fork_has_begun = false;
  // What a std::thread allocates, only its stack would name, and the child has no such stack: there
  // a leak is seen.
  Holder holder{mutex};
  pthread_t thread;
  EXPECT_EQ(0, ::pthread_create(&thread, nullptr, &Holder::hold_until_fork, &holder));
  while (!holder.holds) std::this_thread::yield();
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    const std::lock_guard lock{mutex};
    ::_exit(0);
  }
  ::pthread_join(thread, nullptr);
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

TEST(ForkMutexTest, HeldByAnotherThreadAtTheForkItIsFreeInTheChildAndInTheParent) {
  OwnedForkMutex mutex;
  EXPECT_TRUE(child_gets(mutex));
  const std::lock_guard lock{mutex};
}

TEST(ForkMutexTest, SoAreAllWhenSomeHaveGone) {
  OwnedForkMutex first;
  auto second = std::make_unique<OwnedForkMutex>();
  OwnedForkMutex third;
  for (OwnedForkMutex* each : {&first, second.get(), &third}) const std::lock_guard lock{*each};
  second.reset();
  EXPECT_TRUE(child_gets(first));
  EXPECT_TRUE(child_gets(third));
}

// Without a destructor it may be used, and known to forks, while statics are destroyed.
static_assert(std::is_trivially_destructible_v<ForkMutex>);

}  // namespace
}  // namespace asyncio::detail
