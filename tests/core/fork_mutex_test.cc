#include <atomic>
#include <csignal>
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

/// Forks while another thread holds `mutex`, which it does until the fork waits for it.  True if
/// the child gets it.
bool child_gets(ForkMutex& mutex) {
  // Registered last, it is called first.
  static const int watched = ::pthread_atfork([] { fork_has_begun = true; }, nullptr, nullptr);
  EXPECT_EQ(0, watched);
  fork_has_begun = false;
  std::atomic<bool> held{false};
  std::thread holder{[&] {
    const std::lock_guard lock{mutex};
    held = true;
    while (!fork_has_begun) std::this_thread::yield();
    for (int look = 0; look < 1000; ++look) std::this_thread::yield();
  }};
  while (!held) std::this_thread::yield();
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    const std::lock_guard lock{mutex};
    // Not _exit(): valgrind and the sanitizers would miss there what only `holder` has.
    ::kill(::getpid(), SIGKILL);
  }
  holder.join();
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
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
