#include <asyncio/tests/fuzz/program.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "invariant broken: %s\n", what);
  std::abort();
}

// What a program's own code throws.
struct Failure : std::runtime_error {
  Failure() : std::runtime_error("the program's own") {}
};

// The bytes, read by whichever task runs; zeros behind the end, which is "return".
class Source {
 public:
  Source(const std::uint8_t* bytes, std::size_t size) : at_(bytes), end_(bytes + size) {}
  bool empty() const { return at_ == end_; }
  unsigned byte() { return empty() ? 0 : *at_++; }
  unsigned below(unsigned bound) { return byte() % bound; }
  Duration time() { return std::chrono::milliseconds{below(8)}; }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

// A queue and what has been put to it, in order.  Items are numbers that are never used twice.
struct CheckedQueue {
  explicit CheckedQueue(std::size_t capacity) : queue(capacity) {}

  void put(int item) {
    pending.push_back(item);
    std::unique_ptr<int> box = std::make_unique<int>(item);
    try {
      queue.put(std::move(box));
    } catch (...) {
      require(box != nullptr && *box == item, "a put that failed keeps its item");
      std::erase(pending, item);
      throw;
    }
    require(box == nullptr, "a put that succeeded has given its item away");
  }
  void got(const std::unique_ptr<int>& item) {
    require(item != nullptr, "an item that was got is one");
    require(std::erase(pending, *item) == 1, "an item is got once, and only if it was put");
  }

  Queue<std::unique_ptr<int>> queue;
  std::deque<int> pending;  // put, or being put, and not yet got
};

// A semaphore and how many permits are out.
struct CheckedSemaphore {
  explicit CheckedSemaphore(int max) : semaphore(max) {}

  struct Permit {
    Permit(CheckedSemaphore& from, int permits) : owner(from), count(permits) {
      owner.semaphore.acquire(count);
      owner.out += count;
      require(owner.out <= owner.semaphore.max(), "no more permits are out than there are");
    }
    ~Permit() {
      owner.out -= count;
      owner.semaphore.release(count);
    }
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;
    CheckedSemaphore& owner;
    int count;
  };

  Semaphore semaphore;
  int out = 0;
};

// Counts who is inside a region.
struct Inside {
  explicit Inside(int& counter) : count(counter) { ++count; }
  ~Inside() { --count; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  int& count;
};

// Takes its time when it goes, whether its task is being unwound or not.
struct SlowToGo {
  explicit SlowToGo(Duration to_go) : time(to_go) {}
  SlowToGo(const SlowToGo&) = delete;
  SlowToGo& operator=(const SlowToGo&) = delete;
  Duration time;
  ~SlowToGo() {
    shield([&] { sleep(time); });
  }
};

struct Connection : AsyncResource {
  Connection(Duration to_close, bool will_fail) : time(to_close), fails(will_fail) {}
  void close() override {
    sleep(time);
    if (fails) throw Failure{};
    closed = true;
  }
  bool is_closed() const noexcept override { return closed; }
  Duration time;
  bool fails;
  bool closed = false;
};

class Program {
 public:
  explicit Program(Source& source) : source_(source) {}

  // Main: everything inside one scope, so that a task that waits forever is cancelled in the end.
  void run() {
    CancellationScope::try_run([&] { contained(0); }, {.timeout = 1s});
  }

  // What holds when the run has ended.
  void check_end() {
    require(mutex_.waiting_count() == 0 && !mutex_.is_locked(), "the mutex is free at the end");
    require(lock_.waiting_count() == 0 && lock_.reader_count() == 0 && !lock_.has_writer(),
            "the lock is free at the end");
    for (CheckedSemaphore& each : semaphores_) {
      require(each.out == 0 && each.semaphore.available() == each.semaphore.max() &&
                  each.semaphore.waiting_count() == 0,
              "every permit is back at the end");
    }
    require(event_.waiting_count() == 0 && condition_.waiting_count() == 0,
            "nobody waits at the end");
    for (CheckedQueue& each : queues_) {
      while (auto item = each.queue.try_get()) each.got(*item);
      require(each.pending.empty(), "every item put is got, or still there");
    }
    for (const AnyTask& task : tasks_) require(task.is_done(), "no task outlives the scope");
  }

 private:
  static constexpr int deepest = 6;
  static constexpr std::size_t most_tasks = 64;

  // Operations until one says to return, an error, or the end.  Errors stay inside, cancels do not.
  void contained(int depth) {
    try {
      operations(depth);
    } catch (const std::exception&) {
    }
  }

  void operations(int depth) {
    for (unsigned left = 1 + source_.below(8); left != 0 && !source_.empty(); --left) {
      if (!operation(depth + 1)) return;
    }
  }

  // The body of a task.
  auto body(int depth) {
    return [this, depth, slow = source_.below(8) == 0] {
      std::optional<SlowToGo> goes;
      if (slow) goes.emplace(1ms);
      operations(depth);
    };
  }

  void remember(const AnyTask& task) { tasks_.push_back(task); }

  AnyTask some_task() {
    return tasks_.empty() ? current_task()
                          : tasks_[source_.below(static_cast<unsigned>(tasks_.size()))];
  }

  ScopeOptions scope_options() {
    const unsigned kind = source_.below(4);
    ScopeOptions options;
    if (kind == 1) options.timeout = source_.time();
    if (kind == 2) options.deadline = get_event_loop().now() + source_.time();
    if (kind == 3) {  // never without a limit: a shielded wait may be one that nobody ends
      options.shield = true;
      options.timeout = source_.time();
    }
    return options;
  }

  // A scope that others may cancel while it is open.
  template <class Enter>
  void scoped(int depth, Enter&& enter) {
    CancellationScope scope{scope_options()};
    scopes_.push_back(&scope);
    struct Forget {
      std::vector<CancellationScope*>& list;
      CancellationScope* scope;
      ~Forget() { std::erase(list, scope); }
    } const forget{scopes_, &scope};
    struct Joined {
      CancellationScope& scope;
      ~Joined() { require(scope.tasks().empty(), "a scope that has ended has joined its tasks"); }
    } const joined{scope};
    enter(scope, [&] { operations(depth); });
  }

  void in_group(int depth, TaskGroup& group) {
    groups_.push_back(&group);
    struct Forget {
      std::vector<TaskGroup*>& list;
      TaskGroup* group;
      ~Forget() { std::erase(list, group); }
    } const forget{groups_, &group};
    for (unsigned n = source_.below(4); n != 0 && tasks_.size() < most_tasks; --n) {
      remember(group.spawn(body(depth)));
    }
    operations(depth);
  }

  // Returns false if the task is to return.
  bool operation(int depth) {
    const bool deep = depth >= deepest;
    switch (source_.below(40)) {
      case 0:
        return false;
      case 1:
        yield();
        break;
      case 2:
        sleep(source_.time());
        break;
      case 3:
        if (!deep && tasks_.size() < most_tasks) remember(create_task(body(depth)));
        break;
      case 4:
        some_task().cancel("fuzz");
        break;
      case 5:
        if (!scopes_.empty()) {
          scopes_[source_.below(static_cast<unsigned>(scopes_.size()))]->cancel("fuzz");
        }
        break;
      case 6:
        if (!groups_.empty()) {
          TaskGroup& group = *groups_[source_.below(static_cast<unsigned>(groups_.size()))];
          switch (source_.below(3)) {
            case 0:
              group.cancel("fuzz");
              break;
            case 1:
              group.close();
              break;
            default:
              if (!group.is_closed() && tasks_.size() < most_tasks) {
                remember(group.spawn(body(depth)));
              }
          }
        }
        break;
      case 7:
        throw Failure{};
      case 8:
        if (!deep) contained(depth);
        break;
      case 9:  // swallows its cancel
        if (!deep) {
          try {
            operations(depth);
          } catch (const Cancelled&) {
          }
        }
        break;
      case 10:
        if (!deep) {
          const SlowToGo goes{source_.time()};
          operations(depth);
        }
        break;
      case 11:
        if (!deep) {
          scoped(depth, [](CancellationScope& scope, auto&& inside) { scope.enter(inside); });
        }
        break;
      case 12:
        if (!deep) CancellationScope::run([&] { operations(depth); }, scope_options());
        break;
      case 13:
        if (!deep) {
          const auto outcome =
              CancellationScope::try_run([&] { operations(depth); }, scope_options());
          static_cast<void>(outcome);
        }
        break;
      case 14:
        if (!deep) TaskGroup::run([&](TaskGroup& group) { in_group(depth, group); });
        break;
      case 15:
        if (!deep) {
          TaskGroup group;
          in_group(depth, group);
          if (source_.below(2) == 0) {
            group.wait_all();
            require(group.task_count() == 0, "wait_all joins every child");
          }
        }
        break;
      case 16: {
        mutex_.lock();
        const std::unique_lock held{mutex_, std::adopt_lock};
        const Inside inside{in_mutex_};
        require(in_mutex_ == 1, "one task at a time is inside the mutex");
        hold_the_mutex();
        break;
      }
      case 17:
        if (source_.below(2) == 0) {
          lock_.lock();
          const std::unique_lock held{lock_, std::adopt_lock};
          const Inside inside{writers_};
          require(writers_ == 1 && readers_ == 0, "a writer is alone");
          sleep(source_.time());
        } else {
          lock_.lock_shared();
          const std::shared_lock held{lock_, std::adopt_lock};
          const Inside inside{readers_};
          require(writers_ == 0, "no writer is beside a reader");
          sleep(source_.time());
        }
        break;
      case 18: {
        CheckedSemaphore& chosen = semaphores_[source_.below(2)];
        const int permits =
            1 + static_cast<int>(source_.below(static_cast<unsigned>(chosen.semaphore.max())));
        const CheckedSemaphore::Permit permit{chosen, permits};
        if (source_.below(2) == 0) {
          yield();
        } else {
          sleep(source_.time());
        }
        break;
      }
      case 19:
        queues_[source_.below(3)].put(next_item_++);
        break;
      case 20: {
        CheckedQueue& chosen = queues_[source_.below(3)];
        chosen.got(chosen.queue.get());
        break;
      }
      case 21: {
        CheckedQueue& chosen = queues_[source_.below(3)];
        if (auto item = chosen.queue.try_get()) chosen.got(*item);
        break;
      }
      case 22: {
        CheckedQueue& chosen = queues_[source_.below(3)];
        wait_for([&] { chosen.got(chosen.queue.get()); }, source_.time());
        break;
      }
      case 23: {
        CheckedQueue& chosen = queues_[source_.below(3)];
        const int item = next_item_++;
        wait_for([&] { chosen.put(item); }, source_.time());
        break;
      }
      case 24:
        if (source_.below(8) == 0) queues_[source_.below(3)].queue.close();
        break;
      case 25:
        event_.set();
        break;
      case 26:
        event_.clear();
        break;
      case 27:
        event_.wait();
        break;
      case 28: {
        mutex_.lock();
        const std::unique_lock held{mutex_, std::adopt_lock};
        const bool notified = condition_.wait_for(source_.time(), [&] { return flag_; });
        require(mutex_.owned_by_current_task(), "a condition's wait gives the lock back");
        require(in_mutex_ == 0, "nobody else is inside then");
        if (notified) flag_ = false;
        break;
      }
      case 29: {
        mutex_.lock();
        const std::unique_lock held{mutex_, std::adopt_lock};
        flag_ = true;
        condition_.notify(source_.below(3));
        break;
      }
      case 30:
        wait_for([&] { barrier_.wait(); }, source_.time());
        break;
      case 31: {
        const AnyTask task = some_task();
        if (task != current_task()) await(task);
        break;
      }
      case 32:
        if (!deep && tasks_.size() < most_tasks) {
          auto first = create_task(body(depth));
          auto second = create_task(body(depth));
          remember(first);
          remember(second);
          if (source_.below(2) == 0) {
            gather(first, second);
          } else {
            gather<GatherStrategy::wait_all>(first, second);
          }
        }
        break;
      case 33:
        if (!deep && tasks_.size() < most_tasks) {
          auto task = create_task(body(depth));
          remember(task);
          wait_for(task, source_.time());
        }
        break;
      case 34:
        if (!deep && tasks_.size() < most_tasks) {
          std::vector<Task<void>> some;
          for (unsigned n = 1 + source_.below(3); n != 0; --n)
            some.push_back(create_task(body(depth)));
          for (const auto& task : some) remember(task);
          if (source_.below(2) == 0) {
            wait(some, static_cast<ReturnWhen>(source_.below(3)));
          } else {
            for (const Task<void>& task : as_completed(some)) {
              require(task.is_done(), "as_completed gives tasks that have ended");
            }
          }
        }
        break;
      case 35:
        if (!deep) shield_for(source_.time(), [&] { operations(depth); });
        break;
      case 36:
        CancellationScope::current()->set_deadline(get_event_loop().now() + source_.time());
        break;
      case 37:
        AsyncResourceManager::add(
            std::make_shared<Connection>(source_.time(), source_.below(4) == 0));
        break;
      case 38: {
        const int mark = next_item_++;
        set_context("mark", mark);
        if (!deep && tasks_.size() < most_tasks) {
          remember(create_task([this, depth, mark] {
            require(get_context<int>("mark") == mark, "a task sees its maker's context");
            operations(depth);
          }));
        }
        break;
      }
      default:
        for (unsigned n = source_.below(4); n != 0; --n) yield();
    }
    return true;
  }

  // Inside the mutex: what waits for it, or for those who do, would only wait for the timeout.
  void hold_the_mutex() {
    switch (source_.below(3)) {
      case 0:
        yield();
        break;
      case 1:
        sleep(source_.time());
        break;
      default:
        break;
    }
  }

  Source& source_;
  std::vector<AnyTask> tasks_;
  std::vector<CancellationScope*> scopes_;
  std::vector<TaskGroup*> groups_;
  int next_item_ = 0;

  Mutex mutex_;
  Condition condition_{mutex_};
  int in_mutex_ = 0;
  bool flag_ = false;
  RwLock lock_;
  int readers_ = 0;
  int writers_ = 0;
  std::array<CheckedSemaphore, 2> semaphores_{CheckedSemaphore{1}, CheckedSemaphore{3}};
  std::array<CheckedQueue, 3> queues_{CheckedQueue{0}, CheckedQueue{1}, CheckedQueue{5}};
  Event event_;
  Barrier barrier_{2};
};

}  // namespace

void run_program(const std::uint8_t* bytes, std::size_t size) {
  Source source{bytes, size};
  TestClock clock;
  LoopOptions options;
  options.clock = &clock;
  options.shuffle_seed = source.below(4);  // 0: in order
  options.shutdown_grace = 10s;
  EventLoop loop{make_backend("auto"), options};
  loop.set_exception_handler([](const ExceptionContext& context) {
    for (const char* never : {"abandoned", "swallowed its cancellation"}) {
      if (context.message.find(never) == std::string::npos) continue;
      std::fprintf(stderr, "%s\n", context.message.c_str());
      require(false, "every task ends when it is cancelled");
    }
  });
  Program program{source};
  try {
    loop.run([&] { program.run(); });
  } catch (const TaskCancelledException&) {  // main was told to, by itself or by another
  } catch (const DeadlockError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    require(false, "a program with a deadline never deadlocks");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    require(false, "main contains every error");
  }
  program.check_end();
  const LoopStatistics left = loop.statistics();
  require(left.tasks_alive == 0, "no task is left behind");
  require(left.timers == 0, "no timer is left behind");
  require(left.fd_waiters == 0 && left.ready == 0, "nothing is left behind");
}

}  // namespace asyncio::test
