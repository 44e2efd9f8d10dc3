#include <asyncio/observable/observable.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include <asyncio/core/detail/fork_mutex.h>
#include <asyncio/core/detail/immortal.h>
#include <asyncio/core/detail/observation_hooks.h>
#include <asyncio/core/detail/of_loop.h>
#include <asyncio/core/detail/task_control.h>

namespace asyncio {

Observer::~Observer() = default;
void Observer::on_task_event(const TaskEvent&) {}
void Observer::on_scope_event(const ScopeEvent&) {}
void Observer::on_resource_event(const ResourceEvent&) {}

namespace {

struct Entry {
  explicit Entry(std::shared_ptr<Observer> added) : observer(std::move(added)) {}
  const std::shared_ptr<Observer> observer;
  std::atomic<bool> removed{false};
};
using Observers = std::vector<std::shared_ptr<Entry>>;

struct Shared {
  detail::ForkMutex mutex;
  std::shared_ptr<const Observers> observers = std::make_shared<Observers>();
};
constinit detail::Immortal<Shared> of_process;
Shared& shared() { return of_process.get(); }

// Observers run inside the task that caused the event, and may not suspend it.
template <class Call>
void tell_all(const detail::Scheduler* scheduler, Call&& call) noexcept {
  std::shared_ptr<const Observers> observers;
  {
    const std::lock_guard lock{shared().mutex};
    observers = shared().observers;
  }
  detail::TaskControl* self = detail::current_task_control();
  if (self != nullptr) ++self->no_suspend;
  for (const auto& entry : *observers) {
    if (entry->removed.load(std::memory_order_relaxed)) continue;
    try {
      call(*entry->observer);
    } catch (...) {
      if (scheduler == nullptr) continue;
      detail::report(*scheduler, "an observer threw", std::current_exception());
    }
  }
  if (self != nullptr) --self->no_suspend;
}

void on_task(detail::TaskControl& task, detail::TaskMoment moment) noexcept {
  const TaskEvent event{static_cast<TaskEvent::Type>(moment), AnyTask{detail::TaskRef::share(task)},
                        task.exception, detail::now_of(*task.scheduler)};
  tell_all(task.scheduler, [&](Observer& observer) { observer.on_task_event(event); });
}

void on_scope(const detail::Scope& scope, detail::ScopeMoment moment) noexcept {
  const ScopeEvent event{static_cast<ScopeEvent::Type>(moment), scope.name,
                         detail::now_of(scope.scheduler)};
  tell_all(&scope.scheduler, [&](Observer& observer) { observer.on_scope_event(event); });
}

void on_resource(const AsyncResource& resource, detail::ResourceMoment moment,
                 const std::exception_ptr& exception) noexcept {
  const detail::Scheduler* const scheduler = detail::running_scheduler_or_null();
  const ResourceEvent event{static_cast<ResourceEvent::Type>(moment), &resource, exception,
                            scheduler == nullptr ? Clock::now() : detail::now_of(*scheduler)};
  tell_all(scheduler, [&](Observer& observer) { observer.on_resource_event(event); });
}

constexpr detail::ObservationHooks hooks{&on_task, &on_scope, &on_resource};

// Copy on write: an event in progress goes on with the list it began with, except for what is
// removed.
template <class Change>
void change_observers(Change&& change) {
  auto next = std::make_shared<Observers>();
  std::shared_ptr<const Observers> dropped;  // destroyed after the lock: destructors may call back
  const std::lock_guard lock{shared().mutex};
  *next = *shared().observers;
  change(*next);
  detail::observation_hooks.store(next->empty() ? nullptr : &hooks);
  dropped = std::exchange(shared().observers, std::move(next));
}

auto is_entry_of(const std::shared_ptr<Observer>& observer) {
  return [&observer](const std::shared_ptr<Entry>& entry) { return entry->observer == observer; };
}

}  // namespace

Observable& Observable::instance() {
  static Observable observable;
  return observable;
}

void Observable::add_observer(std::shared_ptr<Observer> observer) {
  if (observer == nullptr) {
    throw std::invalid_argument("Observable::add_observer: the observer is null");
  }
  change_observers([&](Observers& list) {
    if (std::none_of(list.begin(), list.end(), is_entry_of(observer))) {
      list.push_back(std::make_shared<Entry>(std::move(observer)));
    }
  });
}

bool Observable::remove_observer(const std::shared_ptr<Observer>& observer) {
  bool removed = false;
  change_observers([&](Observers& list) {
    const auto found = std::find_if(list.begin(), list.end(), is_entry_of(observer));
    if (found == list.end()) return;
    removed = true;
    (*found)->removed.store(true, std::memory_order_relaxed);
    list.erase(found);
  });
  return removed;
}

void Observable::clear_observers() {
  change_observers([](Observers& list) {
    for (const auto& entry : list) entry->removed.store(true, std::memory_order_relaxed);
    list.clear();
  });
}

bool Observable::is_enabled() const noexcept { return detail::observers() != nullptr; }

}  // namespace asyncio
