// A guest with nothing to do, for a minute: that the host may sleep through it.
#include <memory>

#include <sys/resource.h>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/guest/host.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

/// What this process has done so far.
struct Activity {
  long sleeps;  ///< each ended by a wake-up
  Duration cpu;
};

Activity activity() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
  const auto micros = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  return {usage.ru_nvcsw, std::chrono::seconds{seconds} + std::chrono::microseconds{micros}};
}

/// Leaves whatever a guest might be woken by later.
void work_for_a_while(EventLoop& loop, const SocketPair& pair) {
  loop.del_timer(loop.call_later(30s, [] { FAIL() << "it was revoked"; }));
  loop.create_task([&] {
    auto reader = create_task([&] { wait_readable(pair.a()); });
    auto sleeper = create_task([] { sleep(20s); });
    sleep(1ms);
    pair.write(1, "x");
    await(reader);
    sleeper.cancel();
  });
}

TEST(GuestSlowTest, AnIdleGuestLetsItsHostSleep) {
  const std::unique_ptr<Host> host = make_host();
  Guest loop{*host};
  const SocketPair worked_on;
  const SocketPair watched;
  work_for_a_while(*loop.get(), worked_on);
  host->run();

  host->when_readable(watched.a(), [] { FAIL() << "nobody writes"; });
  host->after(61s, [&] { host->end_run(); });
  const Activity before = activity();
  host->run();
  const Activity after = activity();
  // One wake-up is the end; another libev's own, which never sleeps for longer than 59.7 s.  Some
  // more may be the kernel's, for a page that was swapped out.  Once a second would be sixty.
  EXPECT_LE(after.sleeps - before.sleeps, 10);
  EXPECT_LT(after.cpu - before.cpu, 50ms);
  EXPECT_EQ(0u, loop->statistics().tasks_alive);
  loop->shutdown();
}

}  // namespace
}  // namespace asyncio::test
