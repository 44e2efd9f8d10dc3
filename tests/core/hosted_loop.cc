#include <asyncio/tests/core/hosted_loop.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include <asyncio/core/internal/ending.h>
#include <asyncio/core/internal/guest.h>
#include <asyncio/core/internal/process/workers.h>
#include <asyncio/core/internal/reactor/reactor.h>
#include <asyncio/core/internal/turn.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

// A host that has not called its guest for so long never will.
constexpr Duration patience = 10s;

// In virtual time a slow machine must not make two turns of one.
AttachOptions attach_options(const LoopOptions& options) {
  AttachOptions attach;
  if (options.clock != nullptr) attach.budget = 1h;
  return attach;
}

}  // namespace

HostedLoop::HostedLoop(const LoopOptions& options)
    : host_(make_host()), guest_(*host_, attach_options(options), options) {}

void HostedLoop::run_main(detail::TaskControl& main) {
  turn_until([&] { return main.done(); });
  main.mark_observed();
  end_leftovers();
}

void HostedLoop::run() {
  turn_until([&] { return !loop().rooms().guest.could_go_on(); });
}

void HostedLoop::after_fork() {
  host_->after_fork();
  loop().after_fork();
}

// By looks, never by a host that blocks: then one of them that calls no guest tells that all of its
// tasks are blocked.
void HostedLoop::turn_until(const std::function<bool()>& finished) {
  const detail::Turn& turns = loop().rooms().turn;
  TimePoint last_called = Clock::now();
  for (int vain = 0; !finished(); ++vain) {
    const std::uint64_t turn = turns.count();
    host_->look();
    if (turns.count() != turn || pass_time()) {
      last_called = Clock::now();
      vain = 0;
    } else if (Clock::now() - last_called > patience) {
      throw std::runtime_error("the host has no reason to call its guest any more:\n" +
                               loop().dump());
    } else if (vain < 100) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(50us);
    }
  }
}

// What a loop that runs itself does before it would block; false if only the real world can help.
bool HostedLoop::pass_time() {
  const detail::Rooms& rooms = loop().rooms();
  TestClock* clock = rooms.options.clock;
  if (clock == nullptr || loop().statistics().ready != 0) return false;
  const TimePoint earliest = rooms.reactor.timers().earliest();
  if (!rooms.reactor.descriptors().verify_waits()) {
    if (earliest == TimePoint::max() || rooms.workers.jobs() != 0) return false;
    clock->advance_to(earliest);
  }
  loop().call_soon([] {});
  return true;
}

// As the end of EventLoop::run(main).  shutdown() would end the loop, which is run again.
void HostedLoop::end_leftovers() {
  const detail::Rooms& rooms = loop().rooms();
  detail::Scope& root = rooms.root;
  const auto close_resources = [&] {
    if (root.on_leave == nullptr) return;
    rooms.ending.reset_root();
    auto closer = loop().create_task([&] { root.on_leave(root, false); },
                                     {.name = "close resources", .priority = TaskPriority::system});
    closer.control().own_scope.shield = true;
    turn_until([&] { return closer.is_done(); });
  };
  if (root.living == 0) close_resources();
  if (root.living != 0) {
    detail::cancel_node(root, CancelReason::shutdown, "the loop is ending");
    turn_until([&] { return root.living == 0; });
    close_resources();
  }
  // Callbacks that are still queued have some turns yet.
  const std::uint64_t last_turn = rooms.turn.count() + 16;
  turn_until([&] { return loop().statistics().ready == 0 || rooms.turn.count() >= last_turn; });
  rooms.ending.reset_root();
}

}  // namespace asyncio::test
