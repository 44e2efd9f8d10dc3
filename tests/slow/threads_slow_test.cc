// What a loop says of a wait that only another thread could end.
#include <atomic>
#include <string>
#include <thread>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ThreadsSlowTest : public LoopTest {
 protected:
  ThreadsSlowTest() { real_time(); }
};

TEST_F(ThreadsSlowTest, L36_AWaitThatOnlyAThreadCouldEndIsReportedOnce) {
  std::atomic<bool> stop{false};
  std::thread other;
  EXPECT_THROW(run([&] {
                 other = std::thread{[&, me = current_task()] {
                   while (!stop) std::this_thread::sleep_for(1ms);
                   me.cancel();
                 }};
                 std::thread{[&] {
                   std::this_thread::sleep_for(3500ms);
                   stop = true;
                 }}.detach();
                 Event{}.wait();
               }),
               TaskCancelledException);
  other.join();
  ASSERT_EQ(1u, reports.size());
  EXPECT_TRUE(contains(reports[0], "nothing but another thread could wake one")) << reports[0];
  EXPECT_TRUE(contains(reports[0], "LoopHandle")) << reports[0];
  EXPECT_TRUE(contains(reports[0], "waits for: event")) << reports[0];
  reports.clear();
}

TEST_F(ThreadsSlowTest, L36_AThreadThatHoldsALoopHandleIsNotReported) {
  std::thread other;
  EXPECT_THROW(run([&] {
                 other = std::thread{[me = current_task(), keep = loop().handle()] {
                   std::this_thread::sleep_for(2500ms);
                   me.cancel();
                 }};
                 Event{}.wait();
               }),
               TaskCancelledException);
  other.join();
}

}  // namespace
}  // namespace asyncio::test
