#include <asyncio/tls/internal/idle_sweep.h>

#include <chrono>
#include <utility>

#include <asyncio/core/event_loop.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/tls/internal/connection.h>

namespace asyncio::detail {
namespace {

using namespace std::chrono_literals;

constexpr Duration between_looks = 1s;

}  // namespace

TlsIdleSweep::~TlsIdleSweep() {
  for (const std::weak_ptr<TlsConnection>& entry : watched_) {
    if (const std::shared_ptr<TlsConnection> connection = entry.lock()) connection->unwatch();
  }
  stop();
}

TlsIdleSweep& TlsIdleSweep::here() {
  static lowlevel::LoopSlot<TlsIdleSweep> slot;
  return slot.here("TlsStream");
}

void TlsIdleSweep::watch(std::weak_ptr<TlsConnection> connection) {
  watched_.push_back(std::move(connection));
  ++alive_;
  if (!timer_) start();
}

void TlsIdleSweep::gone() noexcept {
  if (--alive_ > 0) return;
  watched_.clear();
  stop();
}

void TlsIdleSweep::start() {
  timer_ = get_event_loop().add_timer(
      between_looks, [this] { look(); }, TimerOptions{.persistent = true, .background = true});
}

void TlsIdleSweep::stop() noexcept {
  if (timer_) get_event_loop().del_timer(std::exchange(timer_, {}));
}

void TlsIdleSweep::look() {
  std::vector<std::weak_ptr<TlsConnection>> kept;
  std::swap(kept, watched_);
  std::erase_if(kept, [](const std::weak_ptr<TlsConnection>& entry) {
    const std::shared_ptr<TlsConnection> connection = entry.lock();
    return connection == nullptr || !connection->is_still_used();
  });
  alive_ = kept.size();
  watched_ = std::move(kept);
  if (watched_.empty()) {
    stop();
  } else if (!timer_) {
    start();  // the last reference to one was here
  }
}

}  // namespace asyncio::detail
