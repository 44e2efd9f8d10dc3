// Whatever a loop destroys may call it: each kind of thing, by each kind of call, at each end.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

/// What holds the object whose destructor calls.
enum class Holder {
  timer,
  post,
  queued_callback,
  done_callback,
  signal_handler,
  exception_handler,
  resource,
  closure,
  result,
  observer,
  thread_job,
};
const char* const holder_names[] = {
    "Timer",    "Post",    "QueuedCallback", "DoneCallback", "SignalHandler", "ExceptionHandler",
    "Resource", "Closure", "Result",         "Observer",     "ThreadJob"};

enum class Call { remove_own, start_task, post, ask, cancel, notify_closing };
const char* const call_names[] = {"RemovesItself", "StartsATask", "Posts",
                                  "Asks",          "Cancels",     "NotifiesOfAClose"};

enum class End { of_run, of_loop, shutdown, exit, exit_in_task };
const char* const end_names[] = {"EndOfRun", "EndOfLoop", "Shutdown", "Exit", "ExitInATask"};

using Case = std::tuple<Holder, Call, End>;

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const auto [holder, call, end] = info.param;
  return std::string{holder_names[static_cast<int>(holder)]} + call_names[static_cast<int>(call)] +
         "At" + end_names[static_cast<int>(end)];
}

/// A loop with one such object, beside a task, a timer and a handler that it may go for.
class World {
 public:
  explicit World(EventLoop& loop) : loop_(loop) {}

  /// In a task of the loop.
  void set_up(Holder holder, Call call) {
    victim_ = create_task([] { sleep(1h); });
    waiter_ = create_task([this] {
      try {
        wait_readable(pair_.a());
      } catch (const ClosedError&) {
      }
    });
    timer_ = loop_.call_later(1h, [] {});
    handler_ = loop_.add_signal_handler(SIGUSR2, [](int) {});
    yield();
    hold(holder, object(call, holder == Holder::thread_job));
    yield();  // so that what begins has begun
  }

  int made() const { return made_; }
  int gone() const { return gone_; }
  std::string trouble() const { return trouble_; }

 private:
  std::shared_ptr<void> object(Call call, bool on_a_thread) {
    ++made_;
    return {nullptr, [this, call, on_a_thread](void*) {
              ++gone_;
              try {
                on_a_thread ? make_from_a_thread(call) : make(call);
              } catch (const InvalidStateError&) {  // such as a loop that takes no more tasks
              } catch (const NoRunningLoopError&) {
              } catch (const ClosedError&) {
              } catch (const std::exception& error) {
                trouble_ += error.what();
              } catch (...) {
                trouble_ += "what is no std::exception";
              }
              finished_ = true;
            }};
  }

  void make(Call call) {
    switch (call) {
      case Call::remove_own:
        loop_.del_timer(own_timer_);
        loop_.remove_signal_handler(own_handler_);
        loop_.del_timer(timer_);
        loop_.remove_signal_handler(handler_);
        if (task_.valid()) task_.remove_done_callback(own_callback_);
        return;
      case Call::start_task:
        // Where no cancel may reach its maker, none reaches it either (C33): so it ends by itself.
        loop_.create_task([last = nested()] { sleep(1us); });
        return;
      case Call::post:
        loop_.call_soon_threadsafe([last = nested()] {});
        loop_.call_soon([last = nested()] {});
        loop_.call_later(1h, [last = nested()] {});
        return;
      case Call::ask:
        static_cast<void>(loop_.statistics());
        static_cast<void>(loop_.dump());
        static_cast<void>(loop_.tasks());
        static_cast<void>(loop_.now());
        static_cast<void>(loop_.is_running());
        static_cast<void>(loop_.handle());
        return;
      case Call::cancel:
        victim_.cancel("by a destructor");
        for (const AnyTask& task : loop_.tasks()) task.cancel("all of them");
        return;
      case Call::notify_closing:
        asyncio::notify_closing(pair_.a());
        return;
    }
  }

  // What a thread may do.
  void make_from_a_thread(Call call) {
    if (call == Call::cancel) {
      victim_.cancel("by a thread");
    } else if (handle_ != nullptr) {
      handle_->post([last = nested()] {});
    }
  }

  /// What a destructor leaves with the loop has to go as well.
  std::shared_ptr<void> nested() {
    ++made_;
    return {nullptr, [this](void*) { ++gone_; }};
  }

  void hold(Holder holder, std::shared_ptr<void> object) {
    const auto callback = [&object] { return [held = std::move(object)](auto&&...) {}; };
    switch (holder) {
      case Holder::timer:
        own_timer_ = loop_.call_later(1h, callback());
        break;
      case Holder::post:
        loop_.handle().post(
            [this, callback = callback()]() mutable { loop_.handle().post(std::move(callback)); });
        break;
      case Holder::queued_callback:
        call_soon(
            [this, callback = callback()]() mutable { loop_.call_soon(std::move(callback)); });
        break;
      case Holder::done_callback:
        task_ = create_task([] { sleep(1h); });
        own_callback_ = task_.add_done_callback(callback());
        break;
      case Holder::signal_handler:
        own_handler_ = loop_.add_signal_handler(SIGUSR1, callback());
        break;
      case Holder::exception_handler:
        loop_.set_exception_handler(callback());
        break;
      case Holder::resource:
        AsyncResourceManager::add(std::make_shared<Resource>(std::move(object)));
        break;
      case Holder::closure:
        create_task([object = std::move(object)] { sleep(1h); });
        break;
      case Holder::result: {
        auto task =
            create_task([object = std::move(object)]() mutable { return std::move(object); });
        yield();
        own_timer_ = loop_.call_later(1h, [task = std::move(task)] {});
        break;
      }
      case Holder::observer: {
        auto observer = std::make_shared<Holding>(std::move(object));
        Observable::instance().add_observer(observer);
        // The loop destroys what takes it off the list.
        const std::shared_ptr<void> remover{
            nullptr, [observer = std::weak_ptr<Observer>(observer)](void*) {
              Observable::instance().remove_observer(observer.lock());
            }};
        own_timer_ = loop_.call_later(1h, [remover] {});
        break;
      }
      case Holder::thread_job:
        handle_ = std::make_unique<LoopHandle>(loop_.handle());
        create_task([object = std::move(object)]() mutable {
          to_thread(abandon, [object = std::move(object)]() mutable { object.reset(); });
        });
        while (!finished_) sleep(100us);
        break;
    }
  }

  struct Resource : AsyncResource {
    explicit Resource(std::shared_ptr<void> object) : held(std::move(object)) {}
    void close() override { closed = true; }
    bool is_closed() const noexcept override { return closed; }
    std::shared_ptr<void> held;
    bool closed = false;
  };
  struct Holding : Observer {
    explicit Holding(std::shared_ptr<void> object) : held(std::move(object)) {}
    std::shared_ptr<void> held;
  };

  EventLoop& loop_;
  SocketPair pair_;
  AnyTask victim_;
  AnyTask waiter_;
  AnyTask task_;
  TimerId timer_;
  TimerId own_timer_;
  std::uint64_t handler_ = 0;
  std::uint64_t own_handler_ = 0;
  std::uint64_t own_callback_ = 0;
  std::unique_ptr<LoopHandle> handle_;
  std::atomic<int> made_{0};
  std::atomic<int> gone_{0};
  std::atomic<bool> finished_{false};  // the first destructor
  std::string trouble_;
};

bool leaks_are_expected = false;

EventLoop& loop_of_statics() {
  static EventLoop loop{make_backend("auto")};
  return loop;
}

class DestructionMatrixTest : public testing::TestWithParam<Case> {
 protected:
  /// Ends in a child of its own.  Returns its exit status.
  static int status_of_exit(Holder holder, Call call, bool in_task) {
    const pid_t child = ::fork();
    if (child == 0) {
      leaks_are_expected = true;  // exit() unwinds no stack
      ::alarm(20);
      EventLoop& loop = loop_of_statics();
      auto* const world = new World{loop};  // outlives the loop, which goes at the very end
      loop.create_task([&] {
        world->set_up(holder, call);
        if (in_task) std::exit(3);
        loop.stop();
        sleep(1h);
      });
      loop.run();
      std::exit(3);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }
};

INSTANTIATE_TEST_SUITE_P(
    All, DestructionMatrixTest,
    testing::Combine(
        testing::Values(Holder::timer, Holder::post, Holder::queued_callback, Holder::done_callback,
                        Holder::signal_handler, Holder::exception_handler, Holder::resource,
                        Holder::closure, Holder::result, Holder::observer, Holder::thread_job),
        testing::Values(Call::remove_own, Call::start_task, Call::post, Call::ask, Call::cancel,
                        Call::notify_closing),
        testing::Values(End::of_run, End::of_loop, End::shutdown, End::exit, End::exit_in_task)),
    name_of);

TEST_P(DestructionMatrixTest, S47_EverythingGoesOnce) {
  const Holder holder = std::get<0>(GetParam());
  const Call call = std::get<1>(GetParam());
  const End end = std::get<2>(GetParam());
  if (end == End::exit || end == End::exit_in_task) {
    const int status = status_of_exit(holder, call, end == End::exit_in_task);
    ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
    EXPECT_EQ(3, WEXITSTATUS(status));
    return;
  }
  std::unique_ptr<World> world;
  {
    auto loop = std::make_unique<EventLoop>(make_backend("auto"));
    EventLoop& here = *loop;
    world = std::make_unique<World>(here);
    if (end == End::of_run) {
      here.run([&] { world->set_up(holder, call); });
      here.run([] { yield(); });  // the loop is as good as before
    } else {
      here.create_task([&] {
        world->set_up(holder, call);
        here.stop();
        sleep(1h);
      });
      here.run();
    }
    if (end == End::shutdown) here.shutdown();
    delete loop.release();  // in this order: until the end it is the loop that is called
  }
  EXPECT_GE(world->made(), 1);
  EXPECT_EQ(world->made(), world->gone()) << "not everything was destroyed, once";
  EXPECT_EQ("", world->trouble());
  for (const int signo : {SIGUSR1, SIGUSR2}) {
    struct sigaction now {};
    ::sigaction(signo, nullptr, &now);
    EXPECT_EQ(SIG_DFL, now.sa_handler) << "signal " << signo << " was not given back";
  }
}

}  // namespace

/// Asked by the leak checker before it looks.
extern "C" int __lsan_is_turned_off() { return leaks_are_expected ? 1 : 0; }

}  // namespace asyncio::test
