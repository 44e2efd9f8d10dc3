// Cancelling tasks: when it takes effect, where, and what it leaves alone.
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/core/detail/observation_hooks.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/scale.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class CancelTest : public LoopTest {
 protected:
  std::size_t timers() { return loop().statistics().timers; }
  std::size_t fd_waiters() { return loop().statistics().fd_waiters; }
};

std::vector<detail::TaskMoment> moments;  // of the task 'watched'

// Notes the moments of the task 'watched' while it lives.
class WatchMoments {
 public:
  WatchMoments() {
    moments.clear();
    detail::observation_hooks = &hooks;
  }
  ~WatchMoments() { detail::observation_hooks = nullptr; }

 private:
  static void note(detail::TaskControl& task, detail::TaskMoment moment) noexcept {
    if (task.name == "watched") moments.push_back(moment);
  }
  static constexpr detail::ObservationHooks hooks{
      &note,
      [](const detail::Scope&, detail::ScopeMoment) noexcept {},
      [](const AsyncResource&, detail::ResourceMoment, const std::exception_ptr&) noexcept {},
  };
};

// ---- What a cancel is ---------------------------------------------------------------------------

TEST_F(CancelTest, R1_CancelledIsNoStdExceptionAndWhatTheAwaiterGetsIsOne) {
  static_assert(!std::is_base_of_v<std::exception, Cancelled>);
  static_assert(std::is_base_of_v<Error, TaskCancelledException>);
  run([] {
    std::string seen;
    auto task = create_task([&] {
      try {
        sleep(1h);
      } catch (const std::exception&) {
        seen += "inside: an error;";
      } catch (const Cancelled&) {
        seen += "inside: Cancelled;";
        throw;
      }
    });
    settle();
    task.cancel();
    try {
      await(task);
    } catch (const std::exception&) {
      seen += "outside: an error;";
    }
    EXPECT_EQ("inside: Cancelled;outside: an error;", seen);
  });
}

TEST_F(CancelTest, R8_CancelRunsNothingOfTheTaskAndIsFalseOnlyOnceItHasEnded) {
  run([] {
    int unwound = 0;
    const auto sleeper = [&] {
      struct Count {
        int& counter;
        ~Count() { ++counter; }
      } count{unwound};
      sleep(1h);
    };
    const auto cancel = [&](const AnyTask& task) {
      const int before = unwound;
      EXPECT_TRUE(task.cancel());
      EXPECT_TRUE(task.cancel()) << "once more";
      EXPECT_EQ(before, unwound) << "unwound inside cancel()";
    };
    const AnyTask tasks[] = {
        create_task(sleeper),
        create_task(sleeper),
        create_task([&] {
          cancel(current_task());
          sleeper();
        }),
    };
    settle();
    cancel(tasks[0]);
    call_soon([&] { cancel(tasks[1]); });
    settle();
    EXPECT_EQ(3, unwound);
    for (const AnyTask& task : tasks) EXPECT_FALSE(task.cancel());
  });
}

TEST_F(CancelTest, R10_ReasonTextAndSourceTravelWithTheUnwind) {
  std::string seen;
  const auto recorder = [&] {
    try {
      sleep(1h);
    } catch (const Cancelled& cancelled) {
      seen = std::string{to_string(cancelled.reason())} + "/" + cancelled.text() + "/" +
             cancelled.source();
      throw;
    }
  };
  run([&] {
    auto task = create_task(recorder);
    settle();
    task.cancel("enough");
    settle();
    EXPECT_EQ("user/enough/main", seen);

    CancellationScope::try_run([&](CancellationScope& scope) {
      create_task(recorder);
      settle();
      scope.cancel("all of it");
      shield(settle);  // before the scope ends, which would be a reason too
    });
    EXPECT_EQ("parent/all of it/main", seen);

    CancellationScope::try_run(recorder, {.timeout = 1s});
    EXPECT_EQ(0u, seen.find("deadline/")) << seen;

    EXPECT_THROW(TaskGroup::run([&](TaskGroup& group) {
                   group.spawn(recorder);
                   settle();
                   group.spawn([] { throw std::runtime_error("no disk"); }, "saver");
                 }),
                 ExceptionGroup);
    EXPECT_EQ(0u, seen.find("sibling_failed/")) << seen;

    auto waiting = create_task([&] { gather(create_task(recorder)); });
    settle();
    waiting.cancel();
    settle();
    EXPECT_EQ(0u, seen.find("abandoned/")) << seen;

    create_task(recorder);
    settle();
  });
  EXPECT_EQ(0u, seen.find("shutdown/")) << seen;
}

// ---- Start, finish, identity --------------------------------------------------------------------

TEST_F(CancelTest, C1_CancelledBeforeItsStartTheBodyNeverRuns) {
  const WatchMoments watch;
  run([] {
    bool ran = false;
    int destroyed = 0;
    std::string where;
    struct Probe {
      Probe(int& counter, std::string& place) : destroyed(&counter), where(&place) {}
      Probe(Probe&& other) noexcept
          : destroyed(std::exchange(other.destroyed, nullptr)), where(other.where) {}
      ~Probe() {
        if (destroyed == nullptr) return;
        ++*destroyed;
        const detail::TaskControl* self = detail::current_task_control();
        *where = self == nullptr ? "no task" : self->display_name();
      }
      int* destroyed;
      std::string* where;
    };
    auto task = create_task([&ran, probe = Probe{destroyed, where}] { ran = true; }, "watched");
    EXPECT_TRUE(task.cancel("never mind"));
    EXPECT_EQ(TaskState::pending, task.state());
    EXPECT_EQ(0, destroyed) << "not inside cancel()";
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_FALSE(ran);
    EXPECT_EQ(1, destroyed);
    EXPECT_EQ("watched", where) << "the closure goes inside the task";
    EXPECT_EQ(TaskState::cancelled, task.state());
    EXPECT_EQ(std::nullopt, task.started_at());
  });
  EXPECT_EQ((std::vector{detail::TaskMoment::created, detail::TaskMoment::cancelled}), moments);
}

TEST_F(CancelTest, C1_ClosureOfAnUnstartedTaskMaySuspendInItsDestructor) {
  run([&] {
    bool finished = false;
    struct Slow {
      explicit Slow(bool& flag) : finished(&flag) {}
      Slow(Slow&& other) noexcept : finished(std::exchange(other.finished, nullptr)) {}
      ~Slow() {
        if (finished == nullptr) return;
        sleep(1s);
        *finished = true;
      }
      bool* finished;
    };
    auto task = create_task([slow = Slow{finished}] {});
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(finished);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(CancelTest, C2_FinishedTasksAreLeftAlone) {
  run([] {
    auto completed = create_task([] { return 5; });
    auto failed = create_task([] { throw std::runtime_error("own"); });
    auto cancelled = create_task([] {});
    cancelled.cancel("first");
    settle();
    EXPECT_FALSE(completed.cancel("late"));
    EXPECT_FALSE(failed.cancel("late"));
    EXPECT_FALSE(cancelled.cancel("late"));
    EXPECT_EQ(TaskState::completed, completed.state());
    EXPECT_EQ(5, completed.result());
    EXPECT_EQ(TaskState::failed, failed.state());
    EXPECT_THROW(failed.result(), std::runtime_error);
    EXPECT_EQ(TaskState::cancelled, cancelled.state());
    try {
      cancelled.result();
    } catch (const TaskCancelledException& error) {
      EXPECT_EQ("first", error.text());
    }
  });
}

TEST_F(CancelTest, C3_SecondCancelChangesNothing) {
  run([] {
    int unwinds = 0;
    auto task = create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled& cancelled) {
        ++unwinds;
        EXPECT_EQ("first", cancelled.text());
        EXPECT_EQ("main", cancelled.source());
        EXPECT_EQ(CancelReason::user, cancelled.reason());
        throw;
      }
    });
    settle();
    EXPECT_TRUE(task.cancel("first"));
    EXPECT_TRUE(task.cancel("second"));
    try {
      await(task);
      ADD_FAILURE() << "must throw";
    } catch (const TaskCancelledException& error) {
      EXPECT_EQ("first", error.text());
      EXPECT_EQ("main", error.source());
      EXPECT_NE(std::string::npos, std::string{error.what()}.find("first")) << error.what();
    }
    EXPECT_EQ(1, unwinds);
  });
}

TEST_F(CancelTest, C4_TaskThatCancelsItselfIsUnwoundByItsNextSuspendingCall) {
  run([&] {
    bool after_cancel = false;
    bool after_sleep = false;
    auto task = create_task([&] {
      EXPECT_TRUE(current_task().cancel());
      after_cancel = true;
      const ExpectNoSuspend at_once;
      sleep(100s);
      after_sleep = true;
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(after_cancel);
    EXPECT_FALSE(after_sleep);
    EXPECT_EQ(Duration::zero(), elapsed());
  });
}

TEST_F(CancelTest, C5_ReturnedWithoutACheckpointIsCompleted) {
  run([] {
    auto task = create_task([] {
      current_task().cancel();
      return 7;
    });
    EXPECT_EQ(7, await(task));
    EXPECT_EQ(TaskState::completed, task.state());
  });
}

TEST_F(CancelTest, C6_CancelFromACallbackUnwindsInALaterTurn) {
  run([&] {
    std::string order;
    auto task = create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled& cancelled) {
        order += "unwound;";
        EXPECT_EQ("", cancelled.source()) << "no task did it";
        throw;
      }
    });
    settle();
    call_soon([&] {
      EXPECT_TRUE(task.cancel("by a callback"));
      order += "cancel returned;";
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ("cancel returned;unwound;", order);
  });
}

TEST_F(CancelTest, C6_CancelFromATimerCallback) {
  run([&] {
    auto task = create_task([] { sleep(1h); });
    loop().call_later(1s, [&] { task.cancel(); });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(CancelTest, C7_CancelFromAnotherThreadIsPosted) {
  run([&] {
    auto task = create_task([] { sleep(1h); });
    settle();
    to_thread([task] { EXPECT_TRUE(task.cancel("from outside")); });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(Duration::zero(), elapsed());
    EXPECT_FALSE(to_thread([task] { return task.cancel(); })) << "it has ended";
  });
}

TEST_F(CancelTest, C7_CancelFromAnotherThreadWakesASleepingLoop) {
  real_time();
  std::thread canceller;
  EXPECT_THROW(run([&] {
                 const AnyTask self = current_task();
                 canceller = std::thread{[self] {
                   std::this_thread::sleep_for(10ms);
                   EXPECT_TRUE(self.cancel());
                 }};
                 sleep(1h);
               }),
               TaskCancelledException);
  canceller.join();
}

TEST_F(CancelTest, C8_TasksThatCancelEachOtherBothEnd) {
  run([] {
    Task<void> a;
    Task<void> b;
    const auto body = [](Task<void>& other) {
      return [&other] {
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          other.cancel();
          throw;
        }
      };
    };
    a = create_task(body(b));
    b = create_task(body(a));
    settle();
    a.cancel();
    EXPECT_THROW(await(a), TaskCancelledException);
    EXPECT_THROW(await(b), TaskCancelledException);
  });
}

TEST_F(CancelTest, C8_CleanupMayCancelTheOtherAndWaitForIt) {
  run([] {
    Task<void> a;
    Task<void> b;
    a = create_task([&] {
      b.cancel();
      await(b);
    });
    b = create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        a.cancel();
        throw;
      }
    });
    EXPECT_THROW(await(a), TaskCancelledException);
    EXPECT_THROW(await(b), TaskCancelledException);
  });
}

TEST_F(CancelTest, C9_WaitThatWasWokenBeforeTheCancelKeepsItsResult) {
  keep_order();
  run([] {
    int got = 0;
    bool went_on = false;
    auto source = create_task([] {
      yield();
      return 5;
    });
    auto waiter = create_task([&] {
      got = await(source);
      checkpoint();
      went_on = true;
    });
    yield();  // source has begun, waiter waits
    yield();  // source has ended and woken waiter, which is in the ready queue
    ASSERT_TRUE(source.is_done());
    ASSERT_EQ("ready", waiter.wait_reason());
    EXPECT_TRUE(waiter.cancel());
    EXPECT_THROW(await(waiter), TaskCancelledException);
    EXPECT_EQ(5, got);
    EXPECT_FALSE(went_on) << "the next checkpoint throws";
  });
}

TEST_F(CancelTest, C9_ExpiredSleepIsOverEvenIfCancelledInTheSameTurn) {
  keep_order();
  run([&] {
    bool slept = false;
    auto sleeper = create_task([&] {
      sleep(1s);
      slept = true;
    });
    yield();
    loop().call_later(1s, [&] { sleeper.cancel(); });  // due at once with the sleep, but after it
    EXPECT_EQ(TaskState::completed, (settle(), sleep(2s), sleeper.state()));
    EXPECT_TRUE(slept);
  });
}

TEST_F(CancelTest, C10_FailureOfTheAwaitedInTheSameTurnIsDeliveredFirst) {
  keep_order();
  run([] {
    std::string seen;
    auto source = create_task([] {
      yield();
      throw std::runtime_error("broken");
    });
    auto waiter = create_task([&] {
      try {
        await(source);
      } catch (const std::runtime_error&) {
        seen = "failure";
      }
      checkpoint();
      seen += ", then went on";
    });
    yield();
    yield();
    ASSERT_TRUE(source.is_done());
    waiter.cancel();
    EXPECT_THROW(await(waiter), TaskCancelledException);
    EXPECT_EQ("failure", seen);
  });
}

TEST_F(CancelTest, C10_CancelBeforeTheFailureWins) {
  keep_order();
  run([] {
    std::string seen;
    auto source = create_task([] {
      yield();
      yield();
      throw std::runtime_error("broken");
    });
    auto waiter = create_task([&] {
      try {
        await(source);
      } catch (const std::runtime_error&) {
        seen = "failure";
      } catch (const Cancelled&) {
        seen = "cancel";
        throw;
      }
    });
    yield();
    yield();
    waiter.cancel();  // source fails in the same turn, but later
    settle();
    EXPECT_EQ("cancel", seen);
    EXPECT_TRUE(waiter.is_done());
    EXPECT_NE(nullptr, source.exception());
  });
}

// ---- Where it is blocked ------------------------------------------------------------------------

TEST_F(CancelTest, C11_CancelledSleeperIsWokenAtOnceAndItsTimerGone) {
  run([&] {
    const std::size_t before = timers();
    auto sleeper = create_task([] { sleep(1h); });
    settle();
    EXPECT_EQ(before + 1, timers());
    EXPECT_TRUE(sleeper.cancel("enough"));
    EXPECT_FALSE(sleeper.is_done()) << "cancel() must not run the task itself";
    EXPECT_THROW(await(sleeper), TaskCancelledException);
    EXPECT_EQ(Duration::zero(), elapsed()) << "the clock must not have jumped";
    EXPECT_EQ(before, timers());
  });
}

TEST_F(CancelTest, C11_NothingOfTheOldTimerWakesTheTaskLater) {
  run([&] {
    auto task = create_task([&] {
      try {
        sleep(1s);
      } catch (const Cancelled&) {
        // The same stack, the same place: a stale timer would cut this wait short.
        const lowlevel::NoCancel shield{lowlevel::enter_shielded("test")};
        sleep(10s);
        EXPECT_EQ(10s, elapsed());
        throw;
      }
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
  });
}

TEST_F(CancelTest, C12_DescriptorIsFreeForAnotherTaskAtOnceAndUnreadBytesStay) {
  run([&] {
    SocketPair sockets;
    Task<bool> next;
    auto reader = create_task([&] {
      try {
        wait_readable(sockets.a());
      } catch (const Cancelled&) {
        EXPECT_EQ(0u, fd_waiters()) << "the interest is gone before the task runs on";
        next = create_task([&] { return wait_readable(sockets.a(), 1s); });
        yield();
        throw;
      }
    });
    settle();
    EXPECT_EQ(1u, fd_waiters());
    sockets.write(1, "hello");
    reader.cancel();
    settle();
    ASSERT_TRUE(next.valid());
    EXPECT_TRUE(await(next));
    EXPECT_EQ("hello", sockets.read(0));
  });
}

TEST_F(CancelTest, C12_CancelOfAWriterLeavesTheReaderOfTheSameDescriptor) {
  run([&] {
    SocketPair sockets;
    sockets.fill(0);
    auto reader = create_task([&] { wait_readable(sockets.a()); });
    auto writer = create_task([&] { wait_writable(sockets.a()); });
    settle();
    EXPECT_EQ(2u, fd_waiters());
    writer.cancel();
    settle();
    EXPECT_EQ(1u, fd_waiters());
    sockets.write(1, "x");
    await(reader);
    EXPECT_EQ("x", sockets.read(0));
  });
}

TEST_F(CancelTest, C12_CancelledTimedWaitLeavesNoTimer) {
  run([&] {
    SocketPair sockets;
    auto reader = create_task([&] { wait_readable(sockets.a(), 1h); });
    settle();
    EXPECT_EQ(1u, timers());
    reader.cancel();
    settle();
    EXPECT_EQ(0u, timers());
    EXPECT_EQ(0u, fd_waiters());
  });
}

TEST_F(CancelTest, C20_CancelledAwaiterLeavesTheAwaitedTaskAndItsOtherWaitersAlone) {
  run([] {
    auto source = create_task([] {
      sleep(1s);
      return 5;
    });
    auto first = create_task([&] { return await(source); });
    auto second = create_task([&] { return await(source); });
    settle();
    first.cancel();
    EXPECT_THROW(await(first), TaskCancelledException);
    EXPECT_FALSE(source.is_done());
    EXPECT_EQ(5, await(second));
    EXPECT_EQ(TaskState::completed, source.state());
  });
}

TEST_F(CancelTest, C21_AwaiterOfACancelledTaskIsNotItselfCancelled) {
  run([] {
    auto source = create_task([] { sleep(1h); }, "source");
    auto waiter = create_task([&] {
      try {
        await(source);
        ADD_FAILURE() << "must throw";
      } catch (const TaskCancelledException& error) {
        EXPECT_EQ(CancelReason::user, error.reason());
        EXPECT_EQ("stop it", error.text());
        EXPECT_EQ("main", error.source());
        EXPECT_NE(std::string::npos, std::string{error.what()}.find("'source'")) << error.what();
      }
      EXPECT_FALSE(is_cancelled());
      sleep(1s);
      return 3;
    });
    settle();
    source.cancel("stop it");
    EXPECT_EQ(3, await(waiter));
  });
}

TEST_F(CancelTest, C21_UncaughtItMakesTheAwaiterFailNotCancelled) {
  run([] {
    auto source = create_task([] { sleep(1h); });
    auto waiter = create_task([&] { await(source); });
    settle();
    source.cancel();
    EXPECT_THROW(await(waiter), TaskCancelledException);
    EXPECT_EQ(TaskState::failed, waiter.state());
  });
}

// ---- Code that does not wait --------------------------------------------------------------------

TEST_F(CancelTest, C26_ComputingTaskLearnsOfItAtItsCheckpoints) {
  run([] {
    long steps = 0;
    auto task = create_task([&] {
      EXPECT_FALSE(is_cancelled());
      checkpoint();
      current_task().cancel();
      EXPECT_TRUE(is_cancelled());
      for (; steps < 100; ++steps) {
      }
      checkpoint();
      steps = -1;
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(100, steps);
  });
}

TEST_F(CancelTest, C26_CheckpointYieldsOnceItsBudgetIsSpent) {
  run([] {
    auto computing = create_task([] {
      for (;;) checkpoint();
    });
    settle();  // would never come back
    computing.cancel();
    EXPECT_THROW(await(computing), TaskCancelledException);
  });
}

TEST_F(CancelTest, R2_EverySuspendingCallIsACancellationPointBeforeItHasAnyEffect) {
  run([] {
    SocketPair sockets;
    sockets.write(1, "ready");
    auto finished = create_task([] {});
    await(finished);
    bool worked = false;
    const std::vector<std::pair<const char*, std::function<void()>>> calls = {
        {"sleep", [] { sleep(1s); }},
        {"sleep(0)", [] { sleep(0); }},
        {"sleep_until", [] { sleep_until(TimePoint{}); }},
        {"yield", [] { yield(); }},
        {"checkpoint", [] { checkpoint(); }},
        {"await", [&] { await(finished); }},
        {"wait_readable", [&] { wait_readable(sockets.a()); }},
        {"wait_readable with a timeout", [&] { wait_readable(sockets.a(), 0s); }},
        {"wait_writable", [&] { wait_writable(sockets.a()); }},
        {"to_thread", [&] { to_thread([&] { worked = true; }); }},
        {"to_thread(abandon)", [&] { to_thread(abandon, [&worked] { worked = true; }); }},
        {"wait_signal", [] { wait_signal({SIGUSR1}); }},
    };
    for (const auto& [name, call] : calls) {
      auto task = create_task([&call = call] {
        current_task().cancel();
        const ExpectNoSuspend at_once;
        call();
      });
      EXPECT_THROW(await(task), TaskCancelledException) << name;
      EXPECT_EQ(TaskState::cancelled, task.state()) << name;
    }
    EXPECT_FALSE(worked);
  });
}

TEST_F(CancelTest, R2_ACallThatHasSucceededDoesNotThrowAfterwards) {
  run([] {
    auto finished = create_task([] {});
    await(finished);
    int begun = 0;
    int returned = 0;
    auto task = create_task([&] {
      for (;;) {
        ++begun;
        await(finished);  // yields now and then, with its result in hand
        ++returned;
      }
    });
    while (begun == 0) yield();
    ASSERT_EQ(begun, returned + 1) << "it has yielded inside the call";
    const int at_cancel = begun;
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(at_cancel, returned);
    EXPECT_EQ(at_cancel + 1, begun) << "the next call throws";
  });
}

TEST_F(CancelTest, TenThousandTasksAreCancelledTogether) {
  const std::size_t count = scaled(10'000);  // sanitizers have room for fewer
  run([&] {
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < count; ++i) tasks.push_back(create_task([] { sleep(1h); }));
    settle();
    for (auto& task : tasks) task.cancel();
    settle();
    for (auto& task : tasks) ASSERT_EQ(TaskState::cancelled, task.state());
    EXPECT_EQ(0u, timers());
  });
}

}  // namespace
}  // namespace asyncio::test
