// A libev as small as a guest needs, in whatever configuration it is compiled: its watchers are
// those that ev.h declares then.  It stands in for the copy that a program embeds, where the source
// of libev is not at hand.
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

#include <ev.h>

namespace {

ev_tstamp clock_now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<ev_tstamp>(now).count();
}

ev_watcher* common(void* watcher) { return static_cast<ev_watcher*>(watcher); }

template <class Watcher>
using List = std::vector<Watcher*>;

}  // namespace

struct ev_loop {
  // As in libev, what is before the rest of the loop depends on the range of priorities.
  std::vector<void*> pending[EV_MAXPRI - EV_MINPRI + 1];
  unsigned backend = EVBACKEND_POLL;
  int active = 0;
  unsigned iteration = 0;
  bool ended = false;
  bool forked = false;
  List<ev_io> io;
  List<ev_timer> timers;
  List<ev_prepare> prepare;
  List<ev_idle> idle;
  List<ev_fork> forks;
  List<ev_cleanup> cleanup;

  template <class Watcher>
  void start(List<Watcher>& list, Watcher* watcher) {
    if (ev_is_active(watcher)) return;
    ev_set_priority(watcher, std::clamp<int>(ev_priority(watcher), EV_MINPRI, EV_MAXPRI));
    common(watcher)->active = 1;
    list.push_back(watcher);
    ++active;
  }
  template <class Watcher>
  void stop(List<Watcher>& list, Watcher* watcher) {
    for (auto& queue : pending) std::erase(queue, watcher);
    common(watcher)->pending = 0;
    if (!ev_is_active(watcher)) return;
    common(watcher)->active = 0;
    std::erase(list, watcher);
    --active;
  }

  void feed(void* watcher, int events) {
    common(watcher)->pending |= events;
    pending[ev_priority(common(watcher)) - EV_MINPRI].push_back(watcher);
  }
  template <class Watcher>
  void feed_all(const List<Watcher>& list, int events) {
    for (Watcher* watcher : list) feed(watcher, events);
  }
  void invoke_pending() {
    for (;;) {
      const auto queue = std::find_if(std::rbegin(pending), std::rend(pending),
                                      [](const auto& waiting) { return !waiting.empty(); });
      if (queue == std::rend(pending)) return;
      void* const watcher = queue->front();
      queue->erase(queue->begin());
      const int events = common(watcher)->pending;
      common(watcher)->pending = 0;
      ev_invoke(this, watcher, events);
    }
  }

  void turn(bool block) {
    if (std::exchange(forked, false)) {
      feed_all(forks, EV_FORK);
      invoke_pending();
    }
    feed_all(prepare, EV_PREPARE);
    invoke_pending();
    std::vector<pollfd> polled;
    for (const ev_io* watcher : io) {
      const int events = ((watcher->events & EV_READ) != 0 ? POLLIN : 0) |
                         ((watcher->events & EV_WRITE) != 0 ? POLLOUT : 0);
      polled.push_back({watcher->fd, static_cast<short>(events), 0});
    }
    ++iteration;
    ::poll(polled.data(), polled.size(), block && !ended && active > 0 ? timeout() : 0);
    const List<ev_io> watched = io;
    for (std::size_t i = 0; i < watched.size(); ++i) {
      const int events = ((polled[i].revents & POLLIN) != 0 ? EV_READ : 0) |
                         ((polled[i].revents & POLLOUT) != 0 ? EV_WRITE : 0);
      if (events != 0) feed(watched[i], events);
    }
    fire_timers();
    const bool nothing = std::all_of(std::begin(pending), std::end(pending),
                                     [](const auto& waiting) { return waiting.empty(); });
    if (nothing) feed_all(idle, EV_IDLE);
    invoke_pending();
  }

  int timeout() const {
    if (!idle.empty()) return 0;
    if (timers.empty()) return -1;
    const auto earlier = [](const ev_timer* a, const ev_timer* b) { return a->at < b->at; };
    const auto first = std::min_element(timers.begin(), timers.end(), earlier);
    return static_cast<int>(std::max<ev_tstamp>(0., ((*first)->at - clock_now()) * 1000. + 1.));
  }
  void fire_timers() {
    const List<ev_timer> started = timers;
    for (ev_timer* timer : started) {
      if (timer->at > clock_now()) continue;
      ev_timer_stop(this, timer);
      feed(timer, EV_TIMER);
    }
  }
};

// ---- What a program calls -----------------------------------------------------------------------

int ev_version_major() noexcept { return EV_VERSION_MAJOR; }
int ev_version_minor() noexcept { return EV_VERSION_MINOR; }
unsigned ev_supported_backends() noexcept { return EVBACKEND_POLL; }
unsigned ev_backend(struct ev_loop* loop) noexcept { return loop->backend; }
unsigned ev_iteration(struct ev_loop* loop) noexcept { return loop->iteration; }
struct ev_loop* ev_loop_new(unsigned /*flags*/) noexcept {
  return new struct ev_loop;
}
void ev_loop_destroy(struct ev_loop* loop) {
  loop->feed_all(loop->cleanup, EV_CLEANUP);
  loop->invoke_pending();
  delete loop;
}
void ev_loop_fork(struct ev_loop* loop) noexcept { loop->forked = true; }
int ev_run(struct ev_loop* loop, int flags) {
  loop->ended = false;
  do {
    loop->turn(flags == 0);
  } while (flags == 0 && !loop->ended && loop->active > 0);
  return loop->active;
}
void ev_break(struct ev_loop* loop, int /*how*/) noexcept { loop->ended = true; }
void ev_ref(struct ev_loop* loop) noexcept { ++loop->active; }
void ev_unref(struct ev_loop* loop) noexcept { --loop->active; }
void ev_now_update(struct ev_loop* /*loop*/) noexcept {}
void ev_invoke(struct ev_loop* loop, void* watcher, int events) {
  common(watcher)->cb(loop, common(watcher), events);
}

void ev_io_start(struct ev_loop* loop, ev_io* w) noexcept { loop->start(loop->io, w); }
void ev_io_stop(struct ev_loop* loop, ev_io* w) noexcept { loop->stop(loop->io, w); }
void ev_timer_start(struct ev_loop* loop, ev_timer* w) noexcept {
  if (!ev_is_active(w)) w->at += clock_now();
  loop->start(loop->timers, w);
}
void ev_timer_stop(struct ev_loop* loop, ev_timer* w) noexcept {
  if (ev_is_active(w)) w->at -= clock_now();
  loop->stop(loop->timers, w);
}
#if EV_PREPARE_ENABLE
void ev_prepare_start(struct ev_loop* loop, ev_prepare* w) noexcept {
  loop->start(loop->prepare, w);
}
void ev_prepare_stop(struct ev_loop* loop, ev_prepare* w) noexcept { loop->stop(loop->prepare, w); }
#endif
#if EV_IDLE_ENABLE
void ev_idle_start(struct ev_loop* loop, ev_idle* w) noexcept { loop->start(loop->idle, w); }
void ev_idle_stop(struct ev_loop* loop, ev_idle* w) noexcept { loop->stop(loop->idle, w); }
#endif
#if EV_FORK_ENABLE
void ev_fork_start(struct ev_loop* loop, ev_fork* w) noexcept { loop->start(loop->forks, w); }
void ev_fork_stop(struct ev_loop* loop, ev_fork* w) noexcept { loop->stop(loop->forks, w); }
#endif
#if EV_CLEANUP_ENABLE
void ev_cleanup_start(struct ev_loop* loop, ev_cleanup* w) noexcept {
  loop->start(loop->cleanup, w);
  --loop->active;  // it is not counted
}
void ev_cleanup_stop(struct ev_loop* loop, ev_cleanup* w) noexcept {
  if (ev_is_active(w)) ++loop->active;
  loop->stop(loop->cleanup, w);
}
#endif
