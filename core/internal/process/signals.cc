#include <asyncio/core/internal/process/signals.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include <asyncio/core/detail/fork_mutex.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/internal/failures.h>
#include <asyncio/core/internal/reactor/reactor.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio::detail {
namespace {

constexpr int signal_count = 65;

// One signal of the process.
struct Route {
  std::atomic<Inbox*> inbox{nullptr};       // of the loop that has it
  std::atomic<std::uint64_t> forked_at{0};  // forks when that loop took it, or came along in one
  std::atomic<bool> arrived{false};
  std::atomic<bool> ends_process{false};  // the second time
  std::atomic<unsigned> times{0};
  // What was there.  Changed under router_mutex, and only while ours is not there, which reads it.
  struct sigaction before {};

  // In a forked child the loop is the parent's, unless it is told to come along.
  bool is_free() const noexcept { return inbox.load() == nullptr || forked_at.load() != forks; }
};

std::array<Route, signal_count> routes;
constinit ForkMutex router_mutex;

Route& route_of(int signo) noexcept { return routes[static_cast<std::size_t>(signo)]; }

bool is_default(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

// Ends the handler, and then most likely the process.
void do_as_by_default(int signo) noexcept {
  ::signal(signo, SIG_DFL);
  ::raise(signo);
}

// As if ours had never been there.
void pass_on(int signo, siginfo_t* info, void* context, const struct sigaction& before) {
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signo, info, context);
  } else if (before.sa_handler == SIG_DFL) {
    do_as_by_default(signo);
  } else if (before.sa_handler != SIG_IGN) {
    before.sa_handler(signo);
  }
}

// Async-signal-safe: atomics and a write(2).
void on_signal(int signo, siginfo_t* info, void* context) {
  Route& route = route_of(signo);
  if (route.is_free()) {
    // Nobody's: left by somebody who put back what was there while a loop had it, as system(3)
    // does, or inherited by the child of a fork.
    pass_on(signo, info, context, route.before);
    return;
  }
  if (route.ends_process.load() && route.times.fetch_add(1) != 0) {
    do_as_by_default(signo);
    return;
  }
  route.arrived.store(true);
  route.inbox.load()->wake_for_signal();
}

bool is_ours(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &on_signal;
}

void claim(int signo, Inbox& inbox) {
  const std::lock_guard lock{router_mutex};
  Route& route = route_of(signo);
  if (!route.is_free()) {
    throw InvalidStateError("add_signal_handler(" + std::to_string(signo) +
                            "): another event loop handles this signal already; only one can, and "
                            "it may pass the signal on with call_soon_threadsafe(...)");
  }
  struct sigaction present {};
  ::sigaction(signo, nullptr, &present);
  if (!is_ours(present)) route.before = present;
  route.arrived.store(false);
  route.ends_process.store(false);
  route.times.store(0);
  route.forked_at.store(forks);
  route.inbox.store(&inbox);
  struct sigaction ours {};
  ours.sa_sigaction = &on_signal;
  ours.sa_flags = SA_RESTART | SA_SIGINFO;
  ::sigfillset(&ours.sa_mask);
  if (::sigaction(signo, &ours, nullptr) != 0) {
    const int error = errno;
    route.inbox.store(nullptr);
    throw std::invalid_argument("add_signal_handler(" + std::to_string(signo) +
                                "): " + std::strerror(error));
  }
}

// Whoever has put something else there meanwhile keeps it.
void give_back(int signo, const Inbox& inbox) noexcept {
  const std::lock_guard lock{router_mutex};
  Route& route = route_of(signo);
  if (route.inbox.load() != &inbox) return;  // another loop of a forked child has it by now
  struct sigaction present {};
  ::sigaction(signo, nullptr, &present);
  if (is_ours(present)) ::sigaction(signo, &route.before, nullptr);
  route.inbox.store(nullptr);
}

}  // namespace

bool Signals::has_default(int signo) {
  const std::lock_guard lock{router_mutex};
  struct sigaction present {};
  if (::sigaction(signo, nullptr, &present) != 0) return false;
  const Route& route = route_of(signo);
  return is_default(is_ours(present) && route.is_free() ? route.before : present);
}

void Signals::end_process_at_second(int signo) noexcept {
  route_of(signo).ends_process.store(true);
}

void Signals::after_fork() noexcept {
  const std::lock_guard lock{router_mutex};
  for (const auto& [signo, list] : handlers_) {
    Route& route = route_of(signo);
    if (route.inbox.load() == &rooms_.reactor.inbox()) route.forked_at.store(forks);
  }
}

void Signals::end() noexcept {
  // Out of the tables first: what a handler holds may call back into this object when it goes.
  const auto due = std::exchange(due_, {});
  const auto dropped = std::exchange(handlers_, {});
  for (const auto& [signo, list] : dropped) {
    give_back(signo, rooms_.reactor.inbox());
    for (const Handler& handler : list) forget(handler);
  }
}

std::uint64_t Signals::add(int signo, UniqueFunction<void(int)> callback, bool keeps_alive) {
  if (signo <= 0 || signo >= signal_count) {
    throw std::invalid_argument("add_signal_handler(" + std::to_string(signo) +
                                "): there is no such signal");
  }
  if (!callback) throw std::invalid_argument("add_signal_handler: the callback is empty");
  const auto found = handlers_.find(signo);
  if (found == handlers_.end()) claim(signo, rooms_.reactor.inbox());
  const std::uint64_t id = next_id_++;
  handlers_[signo].push_back(
      {id, keeps_alive, std::make_shared<UniqueFunction<void(int)>>(std::move(callback))});
  if (keeps_alive) ++keeping_alive_;
  return id;
}

void Signals::forget(const Handler& handler) noexcept {
  if (handler.keeps_alive) --keeping_alive_;
}

bool Signals::remove(std::uint64_t id) {
  for (auto& [signo, list] : handlers_) {
    const auto found = std::find_if(list.begin(), list.end(),
                                    [&](const Handler& handler) { return handler.id == id; });
    if (found == list.end()) continue;
    // Out of the table first: what it holds may call back into this object when it is destroyed.
    const Handler removed = std::move(*found);
    forget(removed);
    list.erase(found);
    if (list.empty()) {
      give_back(signo, rooms_.reactor.inbox());
      handlers_.erase(signo);
    }
    return true;
  }
  return false;
}

bool Signals::remove_all(int signo) {
  // Out of the table first: what a handler holds may call back into this object when it is
  // destroyed.
  const auto removed = handlers_.extract(signo);
  if (removed.empty()) return false;
  for (const Handler& handler : removed.mapped()) forget(handler);
  give_back(signo, rooms_.reactor.inbox());
  return true;
}

void Signals::dispatch() {
  if (rooms_.reactor.inbox().take_signalled()) {
    for (const auto& [signo, list] : handlers_) {
      if (!route_of(signo).arrived.exchange(false)) continue;
      for (const Handler& handler : list) due_.emplace_back(signo, handler);
    }
  }
  if (rooms_.scheduler.holds_callbacks()) return;  // as every callback, they wait for the next run
  while (!due_.empty() && !rooms_.scheduler.stopping()) {
    const auto [signo, handler] = std::move(due_.front());
    due_.pop_front();
    const auto found = handlers_.find(signo);
    const auto same = [&, id = handler.id](const Handler& other) { return other.id == id; };
    if (found == handlers_.end() ||
        std::none_of(found->second.begin(), found->second.end(), same)) {
      continue;  // removed by a handler before it
    }
    try {
      (*handler.callback)(signo);
    } catch (...) {
      if (rooms_.failures.callback_failed(std::current_exception(), "a signal handler")) {
        rooms_.scheduler.stop();
      }
    }
  }
}

}  // namespace asyncio::detail
