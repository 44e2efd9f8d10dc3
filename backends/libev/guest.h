// The guest of a libev loop.
//
// Facts about libev that shape this file, besides those in libev_backend.cc:
//  * A program that embeds libev may change the members of watchers (EV_COMMON, even without
//    `data`), the range of priorities, and which kinds of watchers there are.  So this is compiled
//    with the program, and finds itself from a watcher by its place.
//  * A prepare watcher runs tasks before the host blocks; while work is left, an idle watcher keeps
//    it from blocking.  Both are there only while there is work: an idle guest costs nothing.  A
//    libev that lacks one of the two has a timer that is due at once instead of both.
//  * ev_run lists all prepare watchers before it calls the first.  A watcher that one of the host's
//    starts is called in the next turn, which the idle watcher brings about.
//  * An idle watcher is called when nothing of its priority or higher is pending.  Ours has the
//    lowest, so that busy tasks do not starve the idle watchers of the host.
//  * ev_run calls prepare watchers before it tells the kernel of changes, so checking there for
//    closed descriptors, after the tasks have run, is in time.  A prepare watcher of the host's may
//    end the run before that; the iteration count shows whether it did.
//  * ev_loop_destroy calls cleanup watchers: that is how we notice that the host is destroyed
//    first.
//  * Every active watcher keeps ev_run going.  ev_unref takes one off the count, and belongs after
//    each start, as ev_ref before each stop.  So ours are not counted, and one ev_ref stands for
//    all of them while ev_run has to go on.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <ev.h>

#include <asyncio/core/attach_options.h>
#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/time.h>

// Where there is one priority alone, ev_set_priority is an expression that does nothing.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-value"

namespace asyncio::detail {

// In each source of its own, since another program's ev.h would make something else of it.
namespace {  // NOLINT(google-build-namespaces)

class LibevGuest final : public EventLoopInterface {
 public:
  LibevGuest(struct ev_loop* host, const AttachOptions& options)
      : EventLoopInterface("ev", Precision::coarse, Driver::host),
        host_(host),
        budget_(options.budget),
        counts_(options.keeps_host_running) {
    init_calls();
#if EV_FORK_ENABLE
    rebuild_.guest = this;
    ev_fork_init(&rebuild_.native, on_rebuild);
    ev_fork_start(host_, &rebuild_.native);
    ev_unref(host_);  // it must not keep ev_run from ending
#endif
#if EV_CLEANUP_ENABLE
    cleanup_.guest = this;
    ev_cleanup_init(&cleanup_.native, on_cleanup);
    ev_cleanup_start(host_, &cleanup_.native);  // does not keep ev_run
#endif
  }

  ~LibevGuest() override { detach(); }

 private:
  /// A watcher by which its guest is found.
  template <class Native>
  struct Watcher {
    Native native;
    LibevGuest* guest;
  };
  /// The one watcher of a descriptor.  It never moves, because libev keeps its address.
  struct Watch {
    Watcher<ev_io> io;
    bool changed = false;  // listed in changed_
  };

  template <class Native>
  static LibevGuest& guest_of(Native* native) noexcept {
    return *reinterpret_cast<Watcher<Native>*>(native)->guest;
  }

  int watch(int fd, Interest wanted) noexcept override {
    if (host_ == nullptr) return 0;
    forget_told_changes();
    Watch* entry = find(fd);
    if (entry != nullptr) stop(&entry->io.native, ev_io_stop);
    if (!any(wanted)) return 0;
    if (!may_add(fd)) return EBADF;
    try {
      if (entry == nullptr) entry = &add(fd);
      if (!entry->changed) changed_.push_back(fd);
      entry->changed = true;
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
    const int events = (any(wanted & Interest::read) ? EV_READ : 0) |
                       (any(wanted & Interest::write) ? EV_WRITE : 0);
    ev_io_set(&entry->io.native, fd, events);  // even if equal: makes libev ask the kernel
    start(&entry->io.native, ev_io_start);
    return 0;
  }

  // The host waits.
  void wait(TimePoint /*until*/, ReadySink& sink) override {
    sink_ = &sink;
    if (host_ != nullptr) drop_closed_changes();
  }

  // The host makes its own kernel object anew.
  void after_fork() override {
#if !EV_FORK_ENABLE
    drop_closed();
#endif
  }

  void detach() noexcept override {
    if (host_ == nullptr) return;
    stop_calls();
    for (const auto& entry : watches_) {
      if (entry != nullptr) stop(&entry->io.native, ev_io_stop);
    }
#if EV_FORK_ENABLE
    ev_ref(host_);
    ev_fork_stop(host_, &rebuild_.native);
#endif
#if EV_CLEANUP_ENABLE
    ev_cleanup_stop(host_, &cleanup_.native);
#endif
    host_ = nullptr;
  }

  void keep_host(bool wanted) noexcept override {
    wanted_ = wanted;
    if (host_ != nullptr) keep_as_needed();
  }

  template <class Native, class Start>
  void start(Native* native, Start ev_start) noexcept {
    if (ev_is_active(native)) return;
    ev_start(host_, native);
    ev_unref(host_);
    ++active_;
    keep_as_needed();
  }
  template <class Native, class Stop>
  void stop(Native* native, Stop ev_stop) noexcept {
    if (ev_is_active(native)) note_stop();
    ev_stop(host_, native);
  }
  /// Gives back what libev takes off its count when it stops a watcher of ours.
  void note_stop() noexcept {
    ev_ref(host_);
    --active_;
    keep_as_needed();
  }
  /// Counts once for all of our watchers, while the host's run has to go on for them.
  void keep_as_needed() noexcept {
    const bool wanted = counts_ && wanted_ && active_ != 0;
    if (wanted == std::exchange(kept_, wanted)) return;
    if (wanted) {
      ev_ref(host_);
    } else {
      ev_unref(host_);
    }
  }

  // ---- Calls of process() -----------------------------------------------------------------------

#if EV_PREPARE_ENABLE && EV_IDLE_ENABLE
  void init_calls() noexcept {
    prepare_.guest = this;
    ev_prepare_init(&prepare_.native, on_prepare);
    ev_idle_init(&idle_, on_idle);
    ev_set_priority(&idle_, EV_MINPRI);
  }
  void work_arrived() noexcept override {
    if (host_ == nullptr) return;
    start(&prepare_.native, ev_prepare_start);
    start(&idle_, ev_idle_start);  // in case the host is running its prepare watchers
  }
  void stop_calls() noexcept {
    stop(&prepare_.native, ev_prepare_stop);
    stop(&idle_, ev_idle_stop);
  }
  static void on_prepare(struct ev_loop* /*host*/, ev_prepare* watcher, int /*events*/) noexcept {
    guest_of(watcher).call();
  }
  static void on_idle(struct ev_loop* /*host*/, ev_idle* /*idle*/, int /*events*/) noexcept {
    // Its being active keeps the host from blocking.
  }
  Watcher<ev_prepare> prepare_;
  ev_idle idle_;
#else
  void init_calls() noexcept {
    timer_.guest = this;
    ev_timer_init(&timer_.native, on_timer, 0., 0.);
    ev_set_priority(&timer_.native, EV_MINPRI);
  }
  void work_arrived() noexcept override {
    if (host_ != nullptr) start(&timer_.native, ev_timer_start);
  }
  void stop_calls() noexcept { stop(&timer_.native, ev_timer_stop); }
  static void on_timer(struct ev_loop* /*host*/, ev_timer* watcher, int /*events*/) noexcept {
    LibevGuest& self = guest_of(watcher);
    self.note_stop();  // libev has stopped it
    self.call();
  }
  Watcher<ev_timer> timer_;
#endif

  void call() noexcept {
    const bool work = process(budget_);
    if (host_ == nullptr) return;  // the loop was shut down in there
    if (work) {
      work_arrived();  // all may be stopped: a task may have run the host in there
    } else {
      stop_calls();
    }
    drop_closed_changes();  // the last callback may have closed a descriptor
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

  Watch& add(int fd) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= watches_.size()) watches_.resize(std::max(index + 1, 2 * watches_.size()));
    watches_[index] = std::make_unique<Watch>();
    Watch& entry = *watches_[index];
    ev_io_init(&entry.io.native, on_ready, fd, EV_NONE);
    ev_set_priority(&entry.io.native, EV_MINPRI);
    entry.io.guest = this;
    return entry;
  }

  void drop_closed(Watch& entry) noexcept {
    const int fd = entry.io.native.fd;
    if (!ev_is_active(&entry.io.native) || !is_closed(fd)) return;
    stop(&entry.io.native, ev_io_stop);
    sink_->dead(fd);
  }

  void drop_closed() noexcept {
    for (const auto& entry : watches_) {
      if (entry != nullptr) drop_closed(*entry);
    }
  }

  void drop_closed_changes() noexcept {
    forget_told_changes();
    for (const int fd : changed_) drop_closed(*find(fd));
  }

  /// Forgets changes that a run of the host has told the kernel, which it does before it counts
  /// itself.  A libev that does not count has them all looked at.
  void forget_told_changes() noexcept {
#if EV_FEATURE_API
    if (std::exchange(changed_in_, ev_iteration(host_)) == ev_iteration(host_)) return;
    for (const int fd : changed_) find(fd)->changed = false;
    changed_.clear();
#endif
  }

  static void on_ready(struct ev_loop* /*host*/, ev_io* io, int events) noexcept {
    LibevGuest& self = guest_of(io);
    if ((events & EV_ERROR) != 0) {  // libev has stopped the watcher
      self.note_stop();
      self.sink_->dead(io->fd);
      return;
    }
    self.sink_->ready(io->fd, ((events & EV_READ) != 0 ? Interest::read : Interest::none) |
                                  ((events & EV_WRITE) != 0 ? Interest::write : Interest::none));
  }

  // ---- The host's loop --------------------------------------------------------------------------

#if EV_FORK_ENABLE
  static void on_rebuild(struct ev_loop* /*host*/, ev_fork* watcher, int /*events*/) noexcept {
    LibevGuest& self = guest_of(watcher);
    self.drop_closed();
    if (self.sink_ != nullptr) self.sink_->rebuilt();
    self.work_arrived();  // process() tells a child that has forgotten after_fork()
  }
  Watcher<ev_fork> rebuild_;
#endif
#if EV_CLEANUP_ENABLE
  static void on_cleanup(struct ev_loop* /*host*/, ev_cleanup* watcher, int /*events*/) noexcept {
    guest_of(watcher).detach();
  }
  Watcher<ev_cleanup> cleanup_;
#endif

  struct ev_loop* host_;  // null once it has been left, or is gone
  const Duration budget_;
  const bool counts_;                            // may we keep ev_run going?
  bool wanted_ = true;                           // and would we?
  bool kept_ = false;                            // and do we?
  unsigned active_ = 0;                          // of our watchers
  std::vector<std::unique_ptr<Watch>> watches_;  // by descriptor
  std::vector<int> changed_;                     // descriptors that the kernel is to be told of
  [[maybe_unused]] unsigned changed_in_ = 0;     // the iteration of the host since when
  ReadySink* sink_ = nullptr;
};

}  // namespace
}  // namespace asyncio::detail

#pragma GCC diagnostic pop
