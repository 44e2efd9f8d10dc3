// Gives back the buffers of connections that nobody uses.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <asyncio/core/timer_id.h>

namespace asyncio::detail {

class TlsConnection;

/// Of one loop: looks every second at the connections that were used since they last had nothing.
/// Those that have not been used since its last look give their buffers back.
class TlsIdleSweep {
 public:
  TlsIdleSweep() = default;
  ~TlsIdleSweep();
  TlsIdleSweep(const TlsIdleSweep&) = delete;
  TlsIdleSweep& operator=(const TlsIdleSweep&) = delete;

  /// The running loop's.
  static TlsIdleSweep& here();

  void watch(std::weak_ptr<TlsConnection> connection);
  /// One that is watched has gone.
  void gone() noexcept;

 private:
  void start();
  void stop() noexcept;
  void look();

  std::vector<std::weak_ptr<TlsConnection>> watched_;
  std::size_t alive_ = 0;  ///< of those; one that goes on another thread is not taken off
  TimerId timer_;
};

}  // namespace asyncio::detail
