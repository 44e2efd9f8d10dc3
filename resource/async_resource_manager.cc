#include <asyncio/resource/async_resource_manager.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <unordered_map>
#include <utility>

#include <asyncio/concurrency/event.h>
#include <asyncio/core/detail/observation_hooks.h>
#include <asyncio/core/detail/of_loop.h>
#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/resource/internal/type_name.h>

namespace asyncio {

AsyncResource::~AsyncResource() = default;

namespace {

struct Holdings;

// Says when a list has become twice as long as it was after the last sweep: so sweeping it costs
// each entry a constant time, and what should have left it is never the larger part for long.
class SweepMark {
 public:
  bool is_due(std::size_t size) const noexcept { return size >= due_at_; }
  void note_swept(std::size_t size) noexcept { due_at_ = std::max(smallest, 2 * size); }

 private:
  static constexpr std::size_t smallest = 16;
  std::size_t due_at_ = smallest;
};

// What a thread knows of its resources.
struct Registry {
  std::unordered_map<const AsyncResource*, Holdings*> holders;  // null: it is being closed
  std::vector<std::weak_ptr<AsyncResource>> orphans;
  SweepMark orphans_mark;
  ResourceStats figures;
};

// Shared with the scopes that hold something: a loop may go after the thread's own variables.  One
// that only runs after them, in the destructor of a static, has another registry, which is leaked.
const std::shared_ptr<Registry>& registry() {
  constinit static thread_local bool gone = false;
  constinit static thread_local std::shared_ptr<Registry>* late = nullptr;
  struct OfThread {
    OfThread() = default;
    ~OfThread() { gone = true; }
    OfThread(const OfThread&) = delete;
    OfThread& operator=(const OfThread&) = delete;
    const std::shared_ptr<Registry> shared = std::make_shared<Registry>();
  };
  if (gone) {
    if (late == nullptr) late = new std::shared_ptr{std::make_shared<Registry>()};
    return *late;
  }
  static thread_local const OfThread of_thread;
  return of_thread.shared;
}

void note_orphan(Registry& known, const std::shared_ptr<AsyncResource>& resource) {
  known.orphans.emplace_back(resource);
  if (!known.orphans_mark.is_due(known.orphans.size())) return;
  std::erase_if(known.orphans, [](const auto& orphan) { return orphan.expired(); });
  known.orphans_mark.note_swept(known.orphans.size());
}

// What one scope holds; lives in Scope::resources.
struct Holdings {
  ~Holdings() {  // a scope that was destroyed without being left
    for (auto& resource : open) {
      --known->figures.open;
      known->holders.erase(resource.get());
      note_orphan(*known, resource);
    }
  }

  const std::shared_ptr<Registry> known = registry();
  /// Lets go of those that were closed by hand, if it is time.  Returns them: what their
  /// destructors do may come back here.
  std::vector<std::shared_ptr<AsyncResource>> sweep() {
    std::vector<std::shared_ptr<AsyncResource>> gone;
    if (!mark.is_due(open.size())) return gone;
    std::erase_if(open, [&](std::shared_ptr<AsyncResource>& resource) {
      if (!resource->is_closed()) return false;
      --known->figures.open;
      known->holders.erase(resource.get());
      gone.push_back(std::move(resource));
      return true;
    });
    mark.note_swept(open.size());
    return gone;
  }

  std::vector<std::shared_ptr<AsyncResource>> open;
  SweepMark mark;
  std::size_t closers = 0;  // calls of close_scope() that have not returned
  Event no_closers;
};

std::shared_ptr<Holdings> holdings_of(const detail::Scope& scope) noexcept {
  return std::static_pointer_cast<Holdings>(scope.resources);
}

// A shield keeps cancels out.  Timeouts inside it work, and it owns and ends the tasks that close()
// starts, for which the resource's scope may be too far gone.
void close_shielded(detail::TaskControl& self, AsyncResource& resource) {
  struct Lifted {
    detail::TaskControl& task;
    std::uint32_t no_cancel = std::exchange(task.no_cancel, 0);
    ~Lifted() { task.no_cancel = no_cancel; }
  } const lifted{self};
  CancellationScope::run([&] { resource.close(); },
                         {.shield = true, .name = "AsyncResource::close"});
}

std::size_t close_all(detail::TaskControl& self, detail::Scope& scope, bool cancelled) {
  // Kept alive: while a close() is suspended, a scope of another task may end.
  const std::shared_ptr<Holdings> holdings = holdings_of(scope);
  const std::string where = scope.name.empty() ? "" : " in scope '" + scope.name + "'";
  Registry& known = *holdings->known;
  std::size_t count = 0;
  // One at a time, off the list first: a close() may suspend, and may add or remove others.
  while (!holdings->open.empty()) {
    const std::shared_ptr<AsyncResource> held = std::move(holdings->open.back());
    AsyncResource& resource = *held;
    holdings->open.pop_back();
    --known.figures.open;
    if (resource.is_closed()) {
      known.holders.erase(&resource);
      continue;
    }
    known.holders[&resource] = nullptr;
    std::exception_ptr failure;
    try {
      if (cancelled) resource.on_cancellation();
      close_shielded(self, resource);
    } catch (...) {
      failure = std::current_exception();
    }
    known.holders.erase(&resource);
    if (failure == nullptr) {
      ++count;
      ++known.figures.closed;
      detail::tell_of_resource(resource, detail::ResourceMoment::closed);
    } else {
      ++known.figures.failed;
      note_orphan(known, held);
      detail::tell_of_resource(resource, detail::ResourceMoment::failed, failure);
      detail::report(*self.scheduler,
                     "close() of a " + detail::type_name(typeid(resource)) + where + " failed",
                     failure);
    }
  }
  return count;
}

void close_at_end(detail::Scope& scope, bool cancelled) {
  close_all(*detail::current_task_control(), scope, cancelled);
  const std::shared_ptr<Holdings> holdings = holdings_of(scope);
  while (holdings->closers != 0) holdings->no_closers.wait();
}

}  // namespace

// NOLINTNEXTLINE(performance-unnecessary-value-param): an observer may let go of the last other one
void AsyncResourceManager::add(std::shared_ptr<AsyncResource> resource) {
  if (resource == nullptr) {
    throw std::invalid_argument("AsyncResourceManager::add: the resource is null");
  }
  detail::TaskControl* self = detail::current_task_control();
  if (self == nullptr) {
    throw NotInTaskError(
        std::string{"AsyncResourceManager::add must be called from a task, whose scope is to own "
                    "the resource: start one with "} +
        detail::where_tasks_start());
  }
  Registry& known = *registry();
  if (const auto found = known.holders.find(resource.get()); found != known.holders.end()) {
    throw InvalidStateError(
        found->second == nullptr
            ? "AsyncResourceManager::add: this resource is being closed; make a new one"
            : "AsyncResourceManager::add: a scope holds this resource already; remove(...) it from "
              "there first");
  }
  detail::Scope& scope = self->scope->owner();
  if (scope.resources == nullptr) {
    scope.resources = std::make_shared<Holdings>();
    scope.on_leave = &close_at_end;
  }
  const std::shared_ptr<Holdings> holdings = holdings_of(scope);
  const auto gone = holdings->sweep();
  holdings->open.push_back(resource);  // an observer may remove it at once: `resource` keeps it
  known.holders.emplace(resource.get(), holdings.get());
  ++known.figures.added;
  ++known.figures.open;
  detail::tell_of_resource(*resource, detail::ResourceMoment::added);
}

bool AsyncResourceManager::remove(const std::shared_ptr<AsyncResource>& resource) {
  Registry& known = *registry();
  const auto found = known.holders.find(resource.get());
  if (found == known.holders.end() || found->second == nullptr) return false;
  std::erase(found->second->open, resource);
  known.holders.erase(found);
  ++known.figures.removed;
  --known.figures.open;
  return true;
}

std::size_t AsyncResourceManager::close_scope(CancellationScope& scope) {
  detail::TaskControl& self =
      lowlevel::enter_shielded("AsyncResourceManager::close_scope").control();
  const std::shared_ptr<Holdings> holdings = holdings_of(scope.impl());
  if (holdings == nullptr) return 0;
  ++holdings->closers;
  holdings->no_closers.clear();
  const std::size_t count = close_all(self, scope.impl(), scope.is_cancelled());
  if (--holdings->closers == 0) holdings->no_closers.set();
  return count;
}

std::size_t AsyncResourceManager::resource_count(const CancellationScope& scope) {
  const std::shared_ptr<Holdings> holdings = holdings_of(scope.impl());
  if (holdings == nullptr) return 0;
  return static_cast<std::size_t>(
      std::count_if(holdings->open.begin(), holdings->open.end(),
                    [](const auto& resource) { return !resource->is_closed(); }));
}

ResourceStats AsyncResourceManager::stats() { return registry()->figures; }

std::vector<std::shared_ptr<AsyncResource>> AsyncResourceManager::detect_leaks() {
  Registry& known = *registry();
  std::vector<std::shared_ptr<AsyncResource>> leaks;
  std::erase_if(known.orphans, [&](const std::weak_ptr<AsyncResource>& orphan) {
    std::shared_ptr<AsyncResource> resource = orphan.lock();
    if (resource == nullptr || resource->is_closed() || known.holders.contains(resource.get())) {
      return true;
    }
    leaks.push_back(std::move(resource));
    return false;
  });
  return leaks;
}

}  // namespace asyncio
