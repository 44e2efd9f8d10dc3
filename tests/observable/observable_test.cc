// The list of observers: on and off, changed at any time, from any thread.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/scale.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

// Counts the tasks it hears of, and does what the test says at each.
class Probe : public Observer {
 public:
  explicit Probe(std::function<void()> body = {}) : body_(std::move(body)) {}
  void on_task_event(const TaskEvent& event) override {
    if (event.type != TaskEvent::Type::created) return;
    ++told;
    if (body_) body_();
  }
  int told = 0;

 private:
  std::function<void()> body_;
};

class ObservableTest : public LoopTest {
 protected:
  ~ObservableTest() override { list.clear_observers(); }

  // One event.
  static void make_task() {
    await(create_task([] {}));
  }

  Observable& list = Observable::instance();
};

TEST_F(ObservableTest, IsOffUntilSomebodyListens) {
  EXPECT_EQ(&list, &Observable::instance());
  EXPECT_FALSE(list.is_enabled());
  auto probe = std::make_shared<Probe>();
  list.add_observer(probe);
  EXPECT_TRUE(list.is_enabled());
  EXPECT_TRUE(list.remove_observer(probe));
  EXPECT_FALSE(list.is_enabled());
  run(make_task);
  EXPECT_EQ(0, probe->told);
}

TEST_F(ObservableTest, HoldsItsObserversAndLetsThemGo) {
  auto probe = std::make_shared<Probe>();
  const std::weak_ptr<Probe> watch = probe;
  list.add_observer(std::exchange(probe, nullptr));
  EXPECT_FALSE(watch.expired());
  EXPECT_TRUE(list.remove_observer(watch.lock()));
  EXPECT_TRUE(watch.expired());
}

TEST_F(ObservableTest, AddingOneTwiceIsOnce) {
  auto probe = std::make_shared<Probe>();
  list.add_observer(probe);
  list.add_observer(probe);
  run([&] {
    probe->told = 0;
    make_task();
    EXPECT_EQ(1, probe->told);
  });
  EXPECT_TRUE(list.remove_observer(probe));
  EXPECT_FALSE(list.remove_observer(probe));
  EXPECT_FALSE(list.is_enabled());
}

TEST_F(ObservableTest, AddingNothingIsAnErrorThatTeaches) {
  try {
    list.add_observer(nullptr);
    ADD_FAILURE() << "must throw";
  } catch (const std::invalid_argument& error) {
    EXPECT_TRUE(std::string_view{error.what()}.starts_with("Observable::add_observer"))
        << error.what();
  }
  EXPECT_FALSE(list.is_enabled());
  EXPECT_FALSE(list.remove_observer(nullptr));
}

TEST_F(ObservableTest, TellsInTheOrderOfAdding) {
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    list.add_observer(std::make_shared<Probe>([&order, i] { order.push_back(i); }));
  }
  run([&] {
    order.clear();
    make_task();
    EXPECT_EQ((std::vector{0, 1, 2}), order);
  });
}

TEST_F(ObservableTest, ClearLetsAllGo) {
  auto first = std::make_shared<Probe>();
  auto second = std::make_shared<Probe>();
  list.add_observer(first);
  list.add_observer(second);
  list.clear_observers();
  list.clear_observers();
  EXPECT_FALSE(list.is_enabled());
  EXPECT_EQ(1, first.use_count());
  EXPECT_FALSE(list.remove_observer(second));
}

TEST_F(ObservableTest, S42_StaysFromOneLoopToTheNext) {
  auto probe = std::make_shared<Probe>();
  list.add_observer(probe);
  run([] {});
  end_loop();
  run([] {});
  EXPECT_EQ(2, probe->told) << "main, twice";
}

// ---- Changes while it tells ---------------------------------------------------------------------

TEST_F(ObservableTest, OneAddedDuringAnEventHearsOfTheNext) {
  auto late = std::make_shared<Probe>();
  list.add_observer(std::make_shared<Probe>([&] { list.add_observer(late); }));
  run([&] {
    EXPECT_EQ(0, late->told);
    make_task();
    EXPECT_EQ(1, late->told);
  });
}

TEST_F(ObservableTest, OneRemovedDuringAnEventHearsNoMoreEvenOfThatOne) {
  auto victim = std::make_shared<Probe>();
  list.add_observer(std::make_shared<Probe>([&] { list.remove_observer(victim); }));
  list.add_observer(victim);
  run(make_task);
  EXPECT_EQ(0, victim->told);
}

TEST_F(ObservableTest, OneThatWasToldBeforeItIsRemovedHarmsNobody) {
  auto victim = std::make_shared<Probe>();
  auto last = std::make_shared<Probe>();
  list.add_observer(victim);
  list.add_observer(std::make_shared<Probe>([&] { list.remove_observer(victim); }));
  list.add_observer(last);
  run(make_task);
  EXPECT_EQ(1, victim->told);
  EXPECT_EQ(2, last->told);
}

TEST_F(ObservableTest, OneThatRemovesItselfLivesUntilItHasReturned) {
  struct Once : Observer {
    explicit Once(int& counter) : told(&counter) {}
    ~Once() override { told = nullptr; }
    void on_task_event(const TaskEvent&) override {
      Observable::instance().clear_observers();
      ASSERT_NE(nullptr, told);
      ++*told;
    }
    int* told;
  };
  int told = 0;
  list.add_observer(std::make_shared<Once>(told));
  run(make_task);
  EXPECT_EQ(1, told);
  EXPECT_FALSE(list.is_enabled());
}

TEST_F(ObservableTest, OneRemovedAndAddedAgainDuringAnEventHearsOfTheNext) {
  auto other = std::make_shared<Probe>();
  list.add_observer(std::make_shared<Probe>([&] {
    list.remove_observer(other);
    list.add_observer(other);
  }));
  list.add_observer(other);
  run([] {});
  EXPECT_EQ(0, other->told);
  EXPECT_TRUE(list.remove_observer(other));
}

TEST_F(ObservableTest, AnObserversDestructorMayChangeTheList) {
  struct Last : Observer {
    explicit Last(std::shared_ptr<Observer> heir) : next(std::move(heir)) {}
    ~Last() override { Observable::instance().add_observer(next); }
    std::shared_ptr<Observer> next;
  };
  auto heir = std::make_shared<Probe>();
  list.add_observer(std::make_shared<Last>(heir));
  list.clear_observers();
  EXPECT_TRUE(list.remove_observer(heir));
  auto last = std::make_shared<Last>(heir);
  list.add_observer(last);
  list.remove_observer(std::exchange(last, nullptr));
  EXPECT_TRUE(list.remove_observer(heir));
}

TEST_F(ObservableTest, AnEventInsideAnEventIsToldInFull) {
  auto second = std::make_shared<Probe>();
  bool nested = true;  // no loop runs yet when main is created
  list.add_observer(std::make_shared<Probe>([&] {
    if (std::exchange(nested, true)) return;
    create_task([] {});
  }));
  list.add_observer(second);
  run([&] {
    nested = false;
    second->told = 0;
    make_task();
    EXPECT_EQ(2, second->told);
  });
}

TEST_F(ObservableTest, ANestedEventDoesNotEndTheBanOnSuspending) {
  bool nested = true;  // no loop runs yet when main is created
  int refused = 0;
  list.add_observer(std::make_shared<Probe>([&] {
    if (std::exchange(nested, true)) return;
    create_task([] {});
    EXPECT_THROW(sleep(1s), InvalidStateError);
    ++refused;
  }));
  run([&] {
    nested = false;
    refused = 0;
    make_task();
    EXPECT_EQ(1, refused);
  });
}

// ---- Threads ------------------------------------------------------------------------------------

TEST_F(ObservableTest, L39_IsOneForAllThreadsAndTellsOnTheLoopsThread) {
  struct Where : Observer {
    void on_task_event(const TaskEvent&) override { seen.push_back(std::this_thread::get_id()); }
    std::vector<std::thread::id> seen;
  };
  auto where = std::make_shared<Where>();
  list.add_observer(where);
  std::thread other{[] { asyncio::run([] {}); }};
  const auto id = other.get_id();
  other.join();
  EXPECT_EQ((std::vector{id, id, id}), where->seen) << "created, started, completed";
}

TEST_F(ObservableTest, ChangesFromAnotherThreadAndEventsDoNotRace) {
  struct Counter : Observer {
    void on_task_event(const TaskEvent&) override { told.fetch_add(1); }
    std::atomic<int> told{0};
  };
  auto steady = std::make_shared<Counter>();
  list.add_observer(steady);
  std::atomic<bool> stop{false};
  std::thread changer{[&] {
    while (!stop.load()) {
      auto guest = std::make_shared<Counter>();
      list.add_observer(guest);
      std::this_thread::yield();
      list.remove_observer(guest);
    }
  }};
  const int count = static_cast<int>(scaled(10'000));
  run([&] {
    steady->told = 0;
    for (int i = 0; i < count; ++i) make_task();
    EXPECT_EQ(3 * count, steady->told);
  });
  stop = true;
  changer.join();
}

}  // namespace
}  // namespace asyncio::test
