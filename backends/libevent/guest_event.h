// An event in a host's libevent base.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

namespace asyncio::detail {

// In each source of its own, since another program's headers would make something else of it.
namespace {  // NOLINT(google-build-namespaces)

/// An event of ours in a host's base.  Its memory is not libevent's, because the base may be freed
/// first.
class GuestEvent {
 public:
  GuestEvent() = default;
  ~GuestEvent() {
    if (assigned_) event_debug_unassign(&native_);
  }
  GuestEvent(const GuestEvent&) = delete;
  GuestEvent& operator=(const GuestEvent&) = delete;

  /// Requires: it is not in the base.
  void assign(event_base* base, int fd, int what, event_callback_fn callback,
              void* guest) noexcept {
    event_assign(&native_, base, fd, static_cast<short>(what), callback, guest);
    event_priority_set(&native_, 0);
    assigned_ = true;
  }
  void make_internal() noexcept { native_.ev_evcallback.evcb_flags |= EVLIST_INTERNAL; }
  bool is_added() const noexcept {
    return (native_.ev_evcallback.evcb_flags & (EVLIST_INSERTED | EVLIST_TIMEOUT)) != 0;
  }
  event* native() noexcept { return &native_; }

 private:
  event native_{};
  bool assigned_ = false;
};

}  // namespace
}  // namespace asyncio::detail
