// The end of a loop: what it destroys is anybody's, and its destructor may call the loop.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class LoopEndTest : public testing::Test {
 protected:
  LoopEndTest() : owner_(std::make_unique<EventLoop>(make_backend("auto"))), loop(*owner_) {}

  void TearDown() override {
    if (owner_ != nullptr) end_loop();
    EXPECT_NE(0, made_);
    EXPECT_EQ(made_, gone_) << "not everything was destroyed, once";
  }

  void end_loop() {
    delete owner_.release();  // in this order: until the end it is the loop that is called
  }

  /// Owned by a callback, it does something when the callback is destroyed.
  std::shared_ptr<void> at_end(std::function<void()> action = [] {}) {
    ++made_;
    return {nullptr, [this, action = std::move(action)](void*) {
              ++gone_;
              action();
            }};
  }

 private:
  int made_ = 0;
  int gone_ = 0;
  std::unique_ptr<EventLoop> owner_;

 protected:
  EventLoop& loop;
};

constexpr auto must_not_be_called = [](auto&&...) { ADD_FAILURE() << "must not be called"; };

/// A callback that is not called, and what it owns.
auto holding(std::shared_ptr<void> owned) {
  return [owned = std::move(owned)](auto&&... arguments) { must_not_be_called(arguments...); };
}

TEST_F(LoopEndTest, ATimersCallbackMayOwnWhatDeletesTheTimer) {
  TimerId id;
  bool deleted = true;
  id = loop.add_timer(1s, holding(at_end([&] { deleted = loop.del_timer(id); })));
  end_loop();
  EXPECT_FALSE(deleted) << "it is gone already";
}

TEST_F(LoopEndTest, ATimerThatIsDeletedMayDeleteItselfAndOthersAndArmMore) {
  const TimerId other = loop.call_later(1s, holding(at_end()));
  TimerId id;
  id = loop.call_later(1s, holding(at_end([&] {
                         EXPECT_FALSE(loop.del_timer(id));
                         EXPECT_TRUE(loop.del_timer(other));
                         for (int i = 0; i < 100; ++i) loop.call_later(1s, holding(at_end()));
                       })));
  EXPECT_TRUE(loop.del_timer(id));
  EXPECT_EQ(100u, loop.statistics().timers);
}

TEST_F(LoopEndTest, WhatIsDestroyedMayArmTimersAndQueueCallbacks) {
  const auto come_back = [&] {
    loop.call_soon(holding(at_end()));
    loop.call_later(1s, holding(at_end()));
  };
  loop.call_soon(holding(at_end(come_back)));
  loop.call_later(1s, holding(at_end(come_back)));
}

TEST_F(LoopEndTest, WhatIsDestroyedMayStartATaskThatIsUnwound) {
  bool unwound = false;
  loop.call_later(1s, holding(at_end([&] {
                    loop.create_task([&, kept = at_end([&] { unwound = true; })] { sleep(1h); });
                  })));
  end_loop();
  EXPECT_TRUE(unwound);
}

TEST_F(LoopEndTest, ASignalHandlersEndMayRemoveAndAddHandlers) {
  std::uint64_t id = 0;
  id = loop.add_signal_handler(SIGUSR1, holding(at_end([&] {
                                 EXPECT_FALSE(loop.remove_signal_handler(id));
                                 EXPECT_FALSE(loop.remove_signal_handler(std::uint64_t{SIGUSR1}));
                                 loop.add_signal_handler(SIGUSR2, holding(at_end()));
                               })));
  end_loop();
  for (const int signo : {SIGUSR1, SIGUSR2}) {
    struct sigaction now {};
    ::sigaction(signo, nullptr, &now);
    EXPECT_EQ(SIG_DFL, now.sa_handler) << "signal " << signo << " was not given back";
  }
}

TEST_F(LoopEndTest, ARemovedSignalHandlersEndMayRemoveAndAddHandlers) {
  for (const bool by_number : {false, true}) {
    std::uint64_t id = 0;
    id = loop.add_signal_handler(SIGUSR1, holding(at_end([&] {
                                   EXPECT_FALSE(loop.remove_signal_handler(id));
                                   loop.add_signal_handler(SIGUSR1, holding(at_end()));
                                 })));
    EXPECT_TRUE(loop.remove_signal_handler(by_number ? std::uint64_t{SIGUSR1} : id));
    EXPECT_TRUE(loop.remove_signal_handler(std::uint64_t{SIGUSR1})) << "that was added meanwhile";
  }
}

TEST_F(LoopEndTest, ARemovedSignalHandlersEndMayRemoveTheNextOneOfTheSignal) {
  std::uint64_t next = 0;
  const std::uint64_t first = loop.add_signal_handler(
      SIGUSR1, holding(at_end([&] { EXPECT_TRUE(loop.remove_signal_handler(next)); })));
  next = loop.add_signal_handler(SIGUSR1, holding(at_end()));
  bool called = false;
  loop.add_signal_handler(SIGUSR1, [&](int) { called = true; });
  EXPECT_TRUE(loop.remove_signal_handler(first));
  loop.run([&] {
    ::raise(SIGUSR1);
    while (loop.statistics().turns < 10 && !called) yield();
  });
  EXPECT_TRUE(called) << "the third is not to suffer";
}

TEST_F(LoopEndTest, TheExceptionHandlersEndMayCallTheLoop) {
  loop.set_exception_handler(holding(at_end([&] {
    loop.call_soon(holding(at_end()));
    loop.call_later(1s, holding(at_end()));
    EXPECT_FALSE(loop.remove_signal_handler(std::uint64_t{SIGUSR1}));
  })));
}

TEST_F(LoopEndTest, APostsEndMayCallTheLoop) {
  loop.call_soon_threadsafe(holding(at_end([&] {
    loop.call_soon(holding(at_end()));
    loop.call_later(1s, holding(at_end()));
  })));
}

TEST_F(LoopEndTest, OfABackendAloneATimersCallbackMayOwnWhatDeletesTheTimer) {
  std::unique_ptr<EventLoopInterface> owner = make_backend("auto");
  EventLoopInterface& backend = *owner;
  TimerId id;
  bool deleted = true;
  id = backend.add_timer(1s, holding(at_end([&] { deleted = backend.del_timer(id); })), true);
  delete owner.release();
  EXPECT_FALSE(deleted);
}

// ---- The end of the program ---------------------------------------------------------------------

/// In a process of its own, in which nothing of the library was used before.
class LoopEndDeathTest : public testing::Test {
 protected:
  LoopEndDeathTest() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    // exit() unwinds no stack, so what tasks hold is still there: that is no leak.
    ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
  }
  ~LoopEndDeathTest() override {
    GTEST_FLAG_SET(death_test_style, before_);
    if (asan_options_ == nullptr) {
      ::unsetenv("ASAN_OPTIONS");
    } else {
      ::setenv("ASAN_OPTIONS", options_.c_str(), 1);
    }
  }

 private:
  const std::string before_ = GTEST_FLAG_GET(death_test_style);
  const char* const asan_options_ = std::getenv("ASAN_OPTIONS");
  const std::string options_ = asan_options_ == nullptr ? "" : asan_options_;
};

EventLoop& static_loop() {
  static EventLoop loop{make_backend("auto")};
  return loop;
}

TEST_F(LoopEndDeathTest, S47_ExitInATaskOfAStaticLoopEndsWithItsStatus) {
  EXPECT_EXIT(static_loop().run([] {
    create_task([] { sleep(1h); });
    yield();
    std::exit(3);
  }),
              testing::ExitedWithCode(3), "^$");
}

TEST_F(LoopEndDeathTest, S47_ExitInACallbackOfAStaticLoopToo) {
  EXPECT_EXIT(static_loop().run([] {
    call_soon([] { std::exit(3); });
    sleep(1h);
  }),
              testing::ExitedWithCode(3), "^$");
}

TEST_F(LoopEndDeathTest, S47_ExitWhileAStaticLoopRunsInAnotherThreadToo) {
  EXPECT_EXIT(
      {
        EventLoop& loop = static_loop();
        std::atomic<bool> runs{false};
        std::thread{[&] {
          loop.run([&] {
            runs = true;
            sleep(1h);
          });
        }}.detach();
        while (!runs) std::this_thread::yield();
        std::exit(3);
      },
      testing::ExitedWithCode(3), "^$");
}

TEST_F(LoopEndDeathTest, S47_DestroyedInItsOwnRunItSaysSo) {
  EXPECT_DEATH(
      {
        auto loop = std::make_unique<EventLoop>(make_backend("auto"));
        loop->run([&] { loop.reset(); });
      },
      "an EventLoop was destroyed inside its own run");
}

// Most of what keeps something for the thread or for the process.
bool much_works() {
  struct Resource : AsyncResource {
    void close() override {
      yield();
      closed = true;
    }
    bool is_closed() const noexcept override { return closed; }
    bool closed = false;
  };
  const auto resource = std::make_shared<Resource>();
  const auto observer = std::make_shared<CountingObserver>();
  Observable::instance().add_observer(observer);
  const int result = asyncio::run([&] {
    AsyncResourceManager::add(resource);
    set_context("key", 1);
    const LoopHandle handle = get_event_loop().handle();
    return to_thread([] { return 20; }) + await(create_task([] {
             sleep(1us);
             return 22;
           }));
  });
  Observable::instance().remove_observer(observer);
  return result == 42 && resource->closed && AsyncResourceManager::detect_leaks().empty() &&
         !available_backends().empty();
}

struct WorksAtItsEnd {
  ~WorksAtItsEnd() { std::fputs(much_works() ? "works " : "fails ", stderr); }
};

TEST_F(LoopEndDeathTest, S47_RunWorksInAtexitHandlersAndDestructorsOfStaticsAndOfThreadsVariables) {
  EXPECT_EXIT(
      {
        static const WorksAtItsEnd of_process;
        static thread_local const WorksAtItsEnd of_thread;
        std::atexit([] { const WorksAtItsEnd now; });
        static_cast<void>(of_thread);
        if (!much_works()) std::exit(4);
        std::exit(3);
      },
      testing::ExitedWithCode(3), "^works works works $");
}

}  // namespace
}  // namespace asyncio::test
