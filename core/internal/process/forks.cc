#include <asyncio/core/internal/process/forks.h>

#include <string>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/process/signals.h>
#include <asyncio/core/internal/process/workers.h>
#include <asyncio/core/internal/reactor/reactor.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio::detail {

void carry_on_in_child(const Rooms& rooms) {
  Inbox& inbox = rooms.reactor.inbox();
  if (rooms.reactor.forked()) {
    inbox.claim();  // the thread of the parent's that had it is not here
  } else {
    inbox.check_thread("after_fork");
  }
  rooms.reactor.after_fork();
  rooms.signals.after_fork();
  rooms.workers.after_fork();
  // A host has to come by: nothing of what it was to wait for came along.
  rooms.scheduler.work_came();
}

void check_fork(const Reactor& reactor, const char* call) {
  if (!reactor.forked()) return;
  throw InvalidStateError(std::string{call} +
                          ": this process is a forked child, and its parent made the loop; call "
                          "loop.after_fork() first, or make a new loop");
}

}  // namespace asyncio::detail
