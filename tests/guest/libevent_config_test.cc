// A program whose base is of another kind than event_base_new() makes, and one that uses libevent's
// locks and its debug mode.
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <event2/thread.h>
#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/backends/libevent.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

/// Tasks that sleep, wait for data and for threads, a call from another thread, and a shutdown that
/// unwinds one that waits.  Returns what happened, and frees the base.
std::string exercise(event_base* base) {
  std::string log;
  {
    EventLoop loop{attach(base)};
    SocketPair pair;
    loop.create_task([&] {
      for (int i = 0; i < 2; ++i) {
        wait_readable(pair.a());
        log += pair.read(0);
      }
    });
    loop.create_task([&] {
      sleep(1ms);
      pair.write(1, "s");
      to_thread([] {});
      wait_writable(pair.b());
      pair.write(1, "t");
    });
    event_base_dispatch(base);
    std::thread{[&log, handle = loop.handle()] { handle.post([&log] { log += 'p'; }); }}.join();
    event_base_dispatch(base);
    loop.create_task([&] {
      try {
        sleep_forever();
      } catch (const Cancelled&) {
        log += 'u';
        throw;
      }
    });
    event_base_loop(base, EVLOOP_NONBLOCK);
    loop.shutdown();
  }
  event_base_free(base);
  return log;
}

struct Config {
  const char* name;
  int flags = 0;
  std::vector<const char*> avoided;
};

class LibeventConfigTest : public testing::TestWithParam<Config> {};

TEST_P(LibeventConfigTest, Pitfall20_TheKindOfTheBaseIsAsTheProgramLikes) {
  event_config* const config = event_config_new();
  event_config_set_flag(config, GetParam().flags);
  for (const char* method : GetParam().avoided) event_config_avoid_method(config, method);
  event_base* const base = event_base_new_with_config(config);
  event_config_free(config);
  ASSERT_NE(nullptr, base);
  EXPECT_EQ("stpu", exercise(base));
}

INSTANTIATE_TEST_SUITE_P(
    All, LibeventConfigTest,
    testing::Values(Config{"NoLock", EVENT_BASE_FLAG_NOLOCK, {}},
                    Config{"IgnoreEnvironment", EVENT_BASE_FLAG_IGNORE_ENV, {}},
                    Config{"NoCachedTime", EVENT_BASE_FLAG_NO_CACHE_TIME, {}},
                    Config{"Changelist", EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST, {}},
                    Config{"PreciseTimer", EVENT_BASE_FLAG_PRECISE_TIMER, {}},
                    Config{"Poll", 0, {"epoll"}}, Config{"Select", 0, {"epoll", "poll"}}),
    [](const testing::TestParamInfo<Config>& info) { return std::string{info.param.name}; });

// In a process of its own: both have to be asked for before anything else of libevent's is used.
TEST(LibeventConfigDeathTest, Pitfall20_LocksAndTheDebugModeAreAsTheProgramLikes) {
  const auto ends_well = [] {
    if (evthread_use_pthreads() != 0) ::_exit(2);
    event_enable_debug_mode();
    ::_exit(exercise(event_base_new()) == "stpu" ? 0 : 1);
  };
  EXPECT_EXIT(ends_well(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace asyncio::test
