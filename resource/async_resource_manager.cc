#include <asyncio/resource/async_resource_manager.h>

#include <algorithm>
#include <stdexcept>

#include <asyncio/core/detail/observation_hooks.h>
#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/internal/loop.h>

namespace asyncio {

AsyncResource::~AsyncResource() = default;

namespace {

thread_local ResourceStats figures;
thread_local std::vector<std::weak_ptr<AsyncResource>> orphans;

// What one scope holds; lives in Scope::resources.
struct Holdings {
  std::vector<std::shared_ptr<AsyncResource>> open;

  ~Holdings() {  // a scope that went without being left
    for (auto& resource : open) orphans.emplace_back(resource);
  }
};

Holdings* holdings_of(const detail::Scope& scope) noexcept {
  return static_cast<Holdings*>(scope.resources.get());
}

std::size_t close_all(detail::Scope& scope, bool cancelled) {
  Holdings* holdings = holdings_of(scope);
  std::size_t count = 0;
  // One at a time, off the list first: a close() may suspend, and may add or remove others.
  while (holdings != nullptr && !holdings->open.empty()) {
    const std::shared_ptr<AsyncResource> resource = std::move(holdings->open.back());
    holdings->open.pop_back();
    --figures.open;
    if (resource->is_closed()) continue;
    try {
      if (cancelled) resource->on_cancellation();
      resource->close();
      ++count;
      ++figures.closed;
      detail::tell_of_resource(*resource, detail::ResourceMoment::closed);
    } catch (const Cancelled&) {
      throw;  // not ours to keep: only a task that is being forced to end
    } catch (...) {
      ++figures.failed;
      detail::tell_of_resource(*resource, detail::ResourceMoment::failed, std::current_exception());
      scope.loop.report("a resource of scope '" + scope.name + "' failed to close",
                        std::current_exception(), nullptr);
    }
  }
  return count;
}

}  // namespace

void AsyncResourceManager::add(std::shared_ptr<AsyncResource> resource) {
  if (resource == nullptr) {
    throw std::invalid_argument("AsyncResourceManager::add(nullptr): pass a resource");
  }
  detail::TaskControl* self = detail::current_task_control();
  if (self == nullptr) {
    throw NotInTaskError("AsyncResourceManager::add outside a task: a resource belongs to a scope");
  }
  for (detail::ScopeNode* node = self->scope; node != nullptr; node = node->parent) {
    if (node->is_task) continue;
    const Holdings* held = holdings_of(static_cast<detail::Scope&>(*node));
    if (held != nullptr &&
        std::find(held->open.begin(), held->open.end(), resource) != held->open.end()) {
      throw InvalidStateError("AsyncResourceManager::add of a resource that a scope holds already");
    }
  }
  detail::Scope& scope = self->scope->owner();
  if (scope.resources == nullptr) {
    scope.resources = std::make_shared<Holdings>();
    scope.on_leave = [](detail::Scope& left, bool cancelled) { close_all(left, cancelled); };
  }
  detail::tell_of_resource(*resource, detail::ResourceMoment::added);
  holdings_of(scope)->open.push_back(std::move(resource));
  ++figures.added;
  ++figures.open;
}

bool AsyncResourceManager::remove(const std::shared_ptr<AsyncResource>& resource) {
  detail::TaskControl* self = detail::current_task_control();
  for (detail::ScopeNode* node = self == nullptr ? nullptr : self->scope; node != nullptr;
       node = node->parent) {
    if (node->is_task) continue;
    Holdings* held = holdings_of(static_cast<detail::Scope&>(*node));
    if (held == nullptr || std::erase(held->open, resource) == 0) continue;
    ++figures.removed;
    --figures.open;
    return true;
  }
  return false;
}

std::size_t AsyncResourceManager::close_scope(CancellationScope& scope) {
  detail::TaskControl& self = detail::enter_shielded_wait("AsyncResourceManager::close_scope");
  const detail::NoCancel shielded{self};
  return close_all(scope.impl(), scope.is_cancelled());
}

std::size_t AsyncResourceManager::resource_count(const CancellationScope& scope) {
  const Holdings* held = holdings_of(scope.impl());
  return held == nullptr ? 0 : held->open.size();
}

ResourceStats AsyncResourceManager::stats() { return figures; }

std::vector<std::shared_ptr<AsyncResource>> AsyncResourceManager::detect_leaks() {
  std::vector<std::shared_ptr<AsyncResource>> leaks;
  std::erase_if(orphans, [&](const std::weak_ptr<AsyncResource>& orphan) {
    std::shared_ptr<AsyncResource> resource = orphan.lock();
    if (resource == nullptr || resource->is_closed()) return true;
    leaks.push_back(std::move(resource));
    return false;
  });
  return leaks;
}

}  // namespace asyncio
