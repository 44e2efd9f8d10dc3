#include <asyncio/io/server.h>

#include <algorithm>
#include <chrono>
#include <exception>

#include <asyncio/concurrency/timeout.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>

namespace asyncio {
namespace {

using namespace std::chrono_literals;

// A client that was waiting to be accepted sends its request now, or has sent it.
constexpr Duration to_be_heard = 100ms;
// After the descriptors of this turn: what is ready to be read is read.
constexpr Duration at_once = 1ns;

constexpr lowlevel::WaitQueue::Kind full_kind{"room for a connection"};

}  // namespace

Server::Server(std::unique_ptr<detail::Door> door, ServeOptions options)
    : door_(std::move(door)), options_(options), loop_("Server") {}

Server::~Server() {
  // Not close(): nobody would be served any more.
  closed_ = true;
}

void Server::accept_in_task() {
  tasks_.spawn(
      [this] {
        try {
          accept_until_closed();
        } catch (const Cancelled&) {
          door_->close();
          throw;
        } catch (...) {
          report("Server: it cannot accept any more; its connections go on");
          door_->close();
        }
      },
      "accept");
}

void Server::accept_until_closed() {
  while (!closed_) {
    try {
      if (options_.most != 0 && connections_ >= options_.most) {
        full_.wait(lowlevel::enter("Server"), full_kind, "Server");
      } else {
        door_->let_in_next(*this);
      }
    } catch (const ClosedError&) {
      closed_ = true;  // the listener, by whomever
    }
  }
}

void Server::close() noexcept {
  if (std::exchange(closed_, true)) return;
  try {
    while (door_->let_in_waiting(*this)) {
    }
  } catch (...) {
    report("Server::close: connections that were waiting are refused");
  }
  door_->close();
  full_.wake_all();
}

bool Server::drain(Duration limit) {
  const std::vector<AnyTask> tasks = tasks_.tasks();
  if (std::find(tasks.begin(), tasks.end(), current_task()) != tasks.end()) {
    throw InvalidStateError(
        "Server::drain: called by a handler, which would wait for itself; let the task that made "
        "the Server call it");
  }
  close();
  draining_ = true;
  const TimePoint soon = deadline_after(loop_.now(), at_once);
  idle_.for_each([soon](Idle& region) { region.scope.set_deadline(soon); });
  try {
    timeout(limit, [this] { tasks_.wait_all(); });
    return true;
  } catch (const TimeoutException&) {
    return false;
  }
}

Server::Idle::Idle(Server& server) {
  server.idle_.push_back(*this);
  if (!server.draining_) return;
  const bool unheard = std::erase(server.unheard_, current_task().id()) > 0;
  scope.set_deadline(deadline_after(server.loop_.now(), unheard ? to_be_heard : at_once));
}

void Server::leave() noexcept {
  --connections_;
  full_.wake_one();
}

void Server::report(const char* what) const noexcept {
  loop_.report(what, std::current_exception());
}

}  // namespace asyncio
