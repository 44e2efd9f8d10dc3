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

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/failures.h>
#include <asyncio/core/internal/reactor/reactor.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio::detail {
namespace {

constexpr int signal_count = 65;

// One signal of the process.
struct Route {
  std::atomic<Inbox*> inbox{nullptr};  // of the loop that has it
  std::atomic<bool> arrived{false};
  struct sigaction before {};  // what was there; guarded by router_mutex
};

std::array<Route, signal_count> routes;
std::mutex router_mutex;

// Async-signal-safe: atomics and a write(2).
void on_signal(int signo) {
  Route& route = routes[static_cast<std::size_t>(signo)];
  Inbox* inbox = route.inbox.load();
  if (inbox == nullptr) return;
  route.arrived.store(true);
  inbox->wake_for_signal();
}

void claim(int signo, Inbox& inbox) {
  const std::lock_guard lock{router_mutex};
  Route& route = routes[static_cast<std::size_t>(signo)];
  if (route.inbox.load() != nullptr) {
    throw InvalidStateError("add_signal_handler(" + std::to_string(signo) +
                            "): another loop has this signal; a signal belongs to one loop, which "
                            "can pass it on with call_soon_threadsafe(...)");
  }
  route.arrived.store(false);
  route.inbox.store(&inbox);
  struct sigaction ours {};
  ours.sa_handler = &on_signal;
  ours.sa_flags = SA_RESTART;
  ::sigfillset(&ours.sa_mask);
  if (::sigaction(signo, &ours, &route.before) != 0) {
    const int error = errno;
    route.inbox.store(nullptr);
    throw std::invalid_argument("add_signal_handler(" + std::to_string(signo) +
                                "): " + std::strerror(error));
  }
}

void give_back(int signo) noexcept {
  const std::lock_guard lock{router_mutex};
  Route& route = routes[static_cast<std::size_t>(signo)];
  ::sigaction(signo, &route.before, nullptr);
  route.inbox.store(nullptr);
}

}  // namespace

void Signals::end() noexcept {
  while (!handlers_.empty()) remove_all(handlers_.begin()->first);
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
      give_back(signo);
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
  give_back(signo);
  return true;
}

void Signals::dispatch() {
  if (rooms_.reactor.inbox().take_signalled()) {
    for (const auto& [signo, list] : handlers_) {
      if (!routes[static_cast<std::size_t>(signo)].arrived.exchange(false)) continue;
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
