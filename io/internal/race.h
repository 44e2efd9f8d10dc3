// Connecting to one of several addresses: whichever answers first (RFC 8305, "Happy Eyeballs").
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <asyncio/concurrency/task_group.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/core/time.h>
#include <asyncio/io/detail/socket.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/internal/names/found.h>

namespace asyncio::detail {

/// Begins with the first address, and goes on with the next one when an attempt fails or takes too
/// long, the families taking turns.  Those that are under way go on.
class Race {
 public:
  struct Rules {
    Duration resolution_delay;  ///< for IPv6 addresses to come, when there are others
    Duration attempt_delay;     ///< from one attempt to the next
  };
  struct Dialled {
    std::error_code code;
    std::optional<Socket> socket;  ///< unless `code` says why not
  };
  /// Makes one connection, in a task of its own.
  using Dial = std::function<Dialled(const Endpoint&)>;
  /// Tells of addresses, in a task of its own, and returns when there are no more.
  using Find = std::function<void(const FoundNews&)>;

  Race(std::uint16_t port, Rules rules, Dial dial, Find find);
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;

  /// Returns the connection, or nothing if each attempt has failed; there was at least one.
  /// Suspends: always.
  /// Cancels: Cancelled; every attempt is ended, and its socket closed.
  /// Throws: what the search for addresses threw, unless some were found; what the dialling threw.
  std::optional<Socket> run(lowlevel::CurrentTask self);

  /// In the order in which they began.  The winner has no code, and what its victory ended is
  /// ECANCELED.
  std::vector<Attempt> take_attempts() noexcept { return std::move(attempts_); }

 private:
  void take_news(const Found& found);
  void look_for_addresses();
  void attempt(std::size_t number);
  /// When the next attempt may begin; nothing if there is none to begin.
  std::optional<TimePoint> next_start() const;
  const IpAddress* next_address() const;
  bool was_tried(const IpAddress& address) const;
  void start(TaskGroup& tasks, TimePoint now);

  std::uint16_t port_;
  Rules rules_;
  Dial dial_;
  Find find_;

  Found found_;
  bool is_searching_ = true;
  std::optional<TimePoint> first_found_;
  std::vector<Attempt> attempts_;
  std::size_t under_way_ = 0;
  TimePoint last_start_{};
  bool may_hurry_ = false;  ///< one has failed since
  std::optional<Socket> winner_;
  std::exception_ptr search_failure_;
  std::exception_ptr failure_;
  lowlevel::WaitQueue changed_;
};

}  // namespace asyncio::detail
