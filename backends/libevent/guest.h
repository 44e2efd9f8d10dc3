// The guest of a libevent base.
//
// Facts about libevent that shape this file (2.1.12), besides those in libevent_backend.cc:
//  * There are no hooks before it blocks.  So a timer of no delay calls us when there is work, and
//    lets the host's own events have their turn in between.
//  * An event's priority is looked up when it becomes active, and one that the base does not have
//    any more ends the process.  The host may change their number at any time.  So what waits in
//    the base has priority 0, which there always is, and only the event that runs tasks has the
//    lowest: it is never added, but made active, and given its priority at that moment.
//  * After events of one priority, those of lower ones have to wait, unless the former are
//    internal. Internal events do not keep a run going, either.  So what waits in the base is
//    internal, and one event that never comes keeps the run going.
//  * EVLOOP_NONBLOCK without EVLOOP_ONCE goes on as long as a look finds anything, and nothing
//    tells us that the host has asked for that.  So now and then, when there has been work for
//    long, we call for the host only a moment later: a run that blocks waits for that moment, one
//    that does not ends.
//  * event_base_free tells nobody, but it takes out every event, internal ones too, which shows in
//    their flags.  So one is always in there.
//  * event_del and event_free go to the base that the event was made for, which may be freed by
//    then; so the events are ours, and nothing is freed through libevent.
//  * A base of the "changelist" kind tells the kernel of changes only when it waits, and nobody
//    hears of errors.  There we ask the kernel first, and look again for closed descriptors when
//    tasks have run.
//  * A descriptor that was first closed and then unwatched may still be reported, if a duplicate of
//    it lives on, and no system call can end that.  So such an event is left in place, as a ghost:
//    if it ever shows up, event_reinit makes a new epoll set.
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <event2/event.h>

#include <asyncio/backends/libevent/guest_event.h>
#include <asyncio/core/attach_options.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

// In each source of its own, since another program's headers would make something else of it.
namespace {  // NOLINT(google-build-namespaces)

class LibeventGuest final : public EventLoopInterface {
 public:
  LibeventGuest(event_base* host, const AttachOptions& options)
      : EventLoopInterface("event", Precision::coarse, Driver::host),
        host_(host),
        budget_(options.budget),
        counts_(options.keeps_host_running),
        tells_late_(std::string_view{event_base_get_method(host)} == "epoll (with changelist)"),
        moment_(make_timer()) {
    soon_.assign(host, -1, 0, on_soon, this);
    soon_.make_internal();
    keep_.assign(host, -1, EV_PERSIST, on_keep, this);
    work_.assign(host, -1, 0, on_work, this);
    if (add_later()) return;
    ::close(moment_);
    throw BackendError("attach: libevent cannot add an event to the host's base");
  }

  ~LibeventGuest() override {
    detach();
    ::close(moment_);
  }

 private:
  /// The one event of a descriptor.  It never moves, because libevent keeps its address.
  struct Watch {
    enum class State : unsigned char {
      off,
      on,
      ghost,  // unwatched, but left in libevent
    };
    GuestEvent event;
    State state = State::off;
    bool changed = false;  // listed in changed_
  };

  int watch(int fd, Interest wanted) noexcept override {
    if (!host_lives()) return 0;
    Watch* entry = find(fd);
    if (!any(wanted)) {
      if (entry != nullptr) unwatch(*entry, fd);
      return 0;
    }
    if (entry == nullptr) {
      if (!may_add(fd)) return EBADF;
      entry = add(fd);
      if (entry == nullptr) return ENOMEM;
    } else {
      take_out(*entry);
    }
    const int what = EV_PERSIST | (any(wanted & Interest::read) ? EV_READ : 0) |
                     (any(wanted & Interest::write) ? EV_WRITE : 0);
    entry->event.assign(host_, fd, what, on_ready, this);
    entry->event.make_internal();
    if (tells_late_) {
      if (const int error = refusal(fd, *entry); error != 0) return error;
    }
    return put_in(*entry);
  }

  // The host waits.
  void wait(TimePoint /*until*/, ReadySink& sink) override {
    sink_ = &sink;
    if (!host_lives()) return;
    if (std::exchange(ghost_seen_, false)) {
      rebuild();
      sink.rebuilt();
    }
    report_dead();
  }

  // The host makes its own kernel object anew.
  void after_fork() override {
    if (::getpid() == process_) return;
    const int fresh = make_timer();  // the other one is the parent's
    process_ = ::getpid();
    const bool lives = host_lives();
    if (lives) event_del(later_.native());
    ::close(std::exchange(moment_, fresh));
    if (!lives) return;
    if (add_later()) {
      if (called_) call_soon();  // perhaps by the timer that is not set here
      return;
    }
    leave();
    throw BackendError("after_fork: libevent cannot add an event to the host's base");
  }

  void detach() noexcept override {
    if (host_lives()) leave();
  }

  void leave() noexcept {
    for (GuestEvent* event : {&later_, &soon_, &keep_, &work_}) event_del(event->native());
    for (const auto& entry : watches_) {
      if (entry != nullptr) event_del(entry->event.native());
    }
    host_ = nullptr;
  }

  static int make_timer() {
    const int made = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (made >= 0) return made;
    throw BackendError("attach: cannot make a timerfd: " + std::generic_category().message(errno));
  }

  bool add_later() noexcept {
    later_.assign(host_, moment_, EV_READ | EV_PERSIST, on_later, this);
    later_.make_internal();
    return event_add(later_.native(), nullptr) == 0;
  }

  /// To be asked before anything that touches the base at a time when the host may not run.
  bool host_lives() noexcept {
    if (host_ != nullptr && !later_.is_added()) host_ = nullptr;  // event_base_free took it out
    return host_ != nullptr;
  }

  // ---- Calls of process() -----------------------------------------------------------------------

  void work_arrived() noexcept override {
    if (!host_lives()) return;
    called_ = true;
    keep_as_needed();
    if (reporting_) {
      run_in_this_turn();
    } else {
      call_soon();
    }
  }

  /// Makes the event active that runs tasks, behind what else is.
  void run_in_this_turn() noexcept {
    event_priority_set(work_.native(), event_base_get_npriorities(host_) - 1);
    event_active(work_.native(), EV_TIMEOUT, 0);
  }

  void call_soon() noexcept {
    const timeval none{};
    event_add(soon_.native(), &none);
  }

  void call_later() noexcept {
    itimerspec time{};
    time.it_value.tv_nsec = std::chrono::nanoseconds{moment}.count();
    ::timerfd_settime(moment_, 0, &time, nullptr);
  }

  static void on_soon(evutil_socket_t /*fd*/, short /*what*/, void* guest) noexcept {
    static_cast<LibeventGuest*>(guest)->run_in_this_turn();
  }

  static void on_later(evutil_socket_t fd, short /*what*/, void* guest) noexcept {
    auto& self = *static_cast<LibeventGuest*>(guest);
    if (::getpid() == self.process_) {
      std::uint64_t times = 0;
      static_cast<void>(::read(fd, &times, sizeof times));
    } else {
      self.leave_timer_to_parent();
    }
    self.busy_since_ = Clock::now();
    self.run_in_this_turn();  // process() tells a child that has forgotten after_fork()
  }

  /// In a child, what is read of the parent's the parent would miss.
  void leave_timer_to_parent() noexcept {
    event_del(later_.native());
    later_.assign(host_, -1, EV_PERSIST, on_keep, this);
    later_.make_internal();
    event_add(later_.native(), &a_day);
  }

  static void on_work(evutil_socket_t /*fd*/, short /*what*/, void* guest) noexcept {
    static_cast<LibeventGuest*>(guest)->work();
  }

  void work() noexcept {
    if (!std::exchange(busy_, true)) busy_since_ = Clock::now();
    busy_ = called_ = process(budget_);
    if (!host_lives()) return;  // the loop was shut down in there
    drop_closed_changes();
    keep_as_needed();
    if (!busy_) return;
    if (Clock::now() - busy_since_ < turns_in_a_row * budget_) {
      call_soon();
    } else {
      call_later();
    }
  }

  void keep_host(bool wanted) noexcept override {
    wanted_ = wanted;
    if (host_lives()) keep_as_needed();
  }

  /// Keeps the host's run going while something could call for it that is wanted.
  void keep_as_needed() noexcept {
    const bool wanted = counts_ && wanted_ && (called_ || watched_ != 0);
    if (wanted == keep_.is_added()) return;
    if (wanted) {
      event_add(keep_.native(), &a_day);
    } else {
      event_del(keep_.native());
    }
  }

  static void on_keep(evutil_socket_t /*fd*/, short /*what*/, void* /*guest*/) noexcept {
    // Its being added is all.
  }

  // ---- Descriptors ------------------------------------------------------------------------------

  static bool is_closed(int fd) noexcept { return ::fcntl(fd, F_GETFD) == -1 && errno == EBADF; }

  Watch* find(int fd) const noexcept {
    const auto index = static_cast<std::size_t>(fd);  // a negative one is beyond any size
    return index < watches_.size() ? watches_[index].get() : nullptr;
  }

  /// Only an open number may make the table grow.
  bool may_add(int fd) const noexcept {
    return fd >= 0 && (static_cast<std::size_t>(fd) < watches_.size() || !is_closed(fd));
  }

  /// Returns null if there is no memory.
  Watch* add(int fd) noexcept {
    const auto index = static_cast<std::size_t>(fd);
    try {
      if (index >= watches_.size()) watches_.resize(std::max(index + 1, 2 * watches_.size()));
      watches_[index] = std::make_unique<Watch>();
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
    return watches_[index].get();
  }

  /// Returns 0, or the errno.
  int put_in(Watch& entry) noexcept {
    errno = 0;
    if (event_add(entry.event.native(), nullptr) == 0) {
      entry.state = Watch::State::on;
      ++watched_;
      keep_as_needed();
      return 0;
    }
    return errno != 0 ? errno : EBADF;  // printing a warning may have changed errno
  }

  void take_out(Watch& entry) noexcept {
    event_del(entry.event.native());
    not_watched(entry, Watch::State::off);
  }

  void not_watched(Watch& entry, Watch::State state) noexcept {
    if (std::exchange(entry.state, state) == Watch::State::on) --watched_;
    keep_as_needed();
  }

  void unwatch(Watch& entry, int fd) noexcept {
    if (entry.state == Watch::State::off) return;
    if (is_closed(fd) && !tells_late_) {
      not_watched(entry, Watch::State::ghost);
    } else {
      take_out(entry);
    }
  }

  /// Makes a new epoll set, without ghosts.
  void rebuild() {
    for (std::size_t index = 0; index < watches_.size(); ++index) {
      Watch* const entry = watches_[index].get();
      const int fd = static_cast<int>(index);
      if (entry == nullptr || entry->state == Watch::State::off) continue;
      if (entry->state == Watch::State::on && !is_closed(fd)) continue;
      if (entry->state == Watch::State::on) dead_.push_back(fd);
      take_out(*entry);
    }
    if (event_reinit(host_) == 0) return;
    // Some number now names a file that cannot be watched.  libevent does not say which.
    for (std::size_t index = 0; index < watches_.size(); ++index) {
      Watch* const entry = watches_[index].get();
      if (entry == nullptr || entry->state == Watch::State::off) continue;
      take_out(*entry);
      if (put_in(*entry) != 0) dead_.push_back(static_cast<int>(index));
    }
  }

  void report_dead() {
    for (const int fd : std::exchange(dead_, {})) {
      if (find(fd)->state == Watch::State::off) sink_->dead(fd);  // else watched anew meanwhile
    }
  }

  static void on_ready(evutil_socket_t fd, short what, void* guest) noexcept {
    auto& self = *static_cast<LibeventGuest*>(guest);
    self.reporting_ = true;
    if (self.find(fd)->state == Watch::State::ghost) {
      self.ghost_seen_ = true;
      self.work_arrived();
    } else {
      self.sink_->ready(fd, ((what & EV_READ) != 0 ? Interest::read : Interest::none) |
                                ((what & EV_WRITE) != 0 ? Interest::write : Interest::none));
    }
    self.reporting_ = false;
  }

  // ---- A base that tells the kernel late --------------------------------------------------------

  /// Returns why the kernel would not watch it, or 0.
  int refusal(int fd, Watch& entry) noexcept {
    try {
      if (!entry.changed) changed_.push_back(fd);
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
    entry.changed = true;
    const int set = ::epoll_create1(EPOLL_CLOEXEC);
    if (set < 0) return 0;  // it will be noticed if it is closed
    epoll_event nothing{};
    const int error = ::epoll_ctl(set, EPOLL_CTL_ADD, fd, &nothing) == 0 ? 0 : errno;
    ::close(set);
    return error;
  }

  /// What is closed before the base waits would be told to the kernel in vain.
  void drop_closed_changes() noexcept {
    for (const int fd : changed_) {
      Watch& entry = *find(fd);
      entry.changed = false;
      if (entry.state != Watch::State::on || !is_closed(fd)) continue;
      take_out(entry);
      sink_->dead(fd);
    }
    changed_.clear();
  }

  // -----------------------------------------------------------------------------------------------

  static constexpr int turns_in_a_row = 4;
  // Long enough for libevent to come from here to its next look.
  static constexpr Duration moment = std::chrono::microseconds{50};
  static constexpr timeval a_day{24 * 60 * 60, 0};

  event_base* host_;  // null once it has been left, or is gone
  const Duration budget_;
  const bool counts_;      // may we keep the host's run going?
  bool wanted_ = true;     // and would we?
  const bool tells_late_;  // is it of the "changelist" kind?
  int moment_;             // a timerfd
  ::pid_t process_ = ::getpid();
  GuestEvent later_;        // when it fires; always in the base
  GuestEvent soon_;         // calls us in the host's next turn
  GuestEvent work_;         // runs tasks
  GuestEvent keep_;         // never comes, and is counted
  bool reporting_ = false;  // in on_ready(), and so in the host's turn
  bool called_ = false;     // is work_ going to come?
  bool busy_ = false;       // was work left the last time?
  TimePoint busy_since_{};
  std::vector<std::unique_ptr<Watch>> watches_;  // by descriptor
  std::size_t watched_ = 0;                      // of them, those that are on
  std::vector<int> changed_;                     // in a base that tells late: since its last turn
  std::vector<int> dead_;                        // found by rebuild(), for wait() to report
  bool ghost_seen_ = false;
  ReadySink* sink_ = nullptr;
};

}  // namespace
}  // namespace asyncio::detail
