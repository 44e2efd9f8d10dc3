// The observer that only counts.
#include <memory>
#include <stdexcept>
#include <thread>

#include <asyncio/asyncio.h>
#include <asyncio/tests/observable/door.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class CountingObserverTest : public LoopTest {
 protected:
  CountingObserverTest() { Observable::instance().add_observer(counts); }
  ~CountingObserverTest() override { Observable::instance().clear_observers(); }

  std::shared_ptr<CountingObserver> counts = std::make_shared<CountingObserver>();
};

TEST_F(CountingObserverTest, BeginsAtNothing) {
  EXPECT_EQ(0u, counts->count(TaskEvent::Type::created));
  EXPECT_EQ(0u, counts->count(ScopeEvent::Type::left));
  EXPECT_EQ(0u, counts->count(ResourceEvent::Type::failed));
}

TEST_F(CountingObserverTest, CountsEachKindOfTaskEvent) {
  run([] {
    auto good = create_task([] {});
    auto bad = create_task([] { throw std::runtime_error("no luck"); });
    auto endless = create_task([] { sleep(1h); });
    auto never = create_task([] {});
    never.cancel();
    settle();
    endless.cancel();
    EXPECT_EQ(4u, wait(std::vector<Task<void>>{good, bad, endless, never}).done.size());
    EXPECT_THROW(await(bad), std::runtime_error);
  });
  EXPECT_EQ(5u, counts->count(TaskEvent::Type::created)) << "with main";
  EXPECT_EQ(4u, counts->count(TaskEvent::Type::started));
  EXPECT_EQ(2u, counts->count(TaskEvent::Type::completed));
  EXPECT_EQ(1u, counts->count(TaskEvent::Type::failed));
  EXPECT_EQ(2u, counts->count(TaskEvent::Type::cancelled));
}

TEST_F(CountingObserverTest, CountsEachKindOfScopeEvent) {
  run([] {
    shield([] {});
    EXPECT_THROW(timeout(1s, [] { sleep(1h); }), TimeoutException);
  });
  EXPECT_EQ(2u, counts->count(ScopeEvent::Type::entered));
  EXPECT_EQ(1u, counts->count(ScopeEvent::Type::cancelled));
  EXPECT_EQ(2u, counts->count(ScopeEvent::Type::left));
}

TEST_F(CountingObserverTest, CountsEachKindOfResourceEvent) {
  run([] {
    CancellationScope::run([] {
      AsyncResourceManager::add(std::make_shared<Door>(false));
      AsyncResourceManager::add(std::make_shared<Door>(true));
      AsyncResourceManager::add(std::make_shared<Door>(false));
    });
  });
  EXPECT_EQ(3u, counts->count(ResourceEvent::Type::added));
  EXPECT_EQ(2u, counts->count(ResourceEvent::Type::closed));
  EXPECT_EQ(1u, counts->count(ResourceEvent::Type::failed));
  EXPECT_EQ(1u, reports.size());
  reports.clear();
}

TEST_F(CountingObserverTest, CountsTheLoopsOfAllThreadsAndIsReadFromAny) {
  std::thread first{[] { asyncio::run([] {}); }};
  std::thread second{[] { asyncio::run([] { await(create_task([] {})); }); }};
  static_cast<void>(counts->count(TaskEvent::Type::created));
  first.join();
  second.join();
  EXPECT_EQ(3u, counts->count(TaskEvent::Type::completed));
}

}  // namespace
}  // namespace asyncio::test
