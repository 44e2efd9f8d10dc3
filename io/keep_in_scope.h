// Handles that a scope closes.
#pragma once

#include <concepts>
#include <memory>
#include <utility>

#include <asyncio/resource/async_resource.h>
#include <asyncio/resource/async_resource_manager.h>

namespace asyncio {

namespace detail {

/// A handle as a resource.
template <class H>
class KeptHandle final : public AsyncResource {
 public:
  explicit KeptHandle(H kept) : handle(std::move(kept)) {}

  void close() override { handle.close(); }
  bool is_closed() const noexcept override { return handle.is_closed(); }

  H handle;
};

}  // namespace detail

/// What can be closed: streams, listeners, sockets, files.
template <class H>
concept Closable = std::movable<H> && requires(H& handle) {
  handle.close();
  { handle.is_closed() } -> std::convertible_to<bool>;
};

/// Keeps `handle` until the current scope ends, which closes it after its tasks have ended, with
/// cancels kept out, and the last one kept first.  Returns it where it stays; it may be closed
/// before.
/// Suspends: never.
/// Throws: NotInTaskError.
template <Closable H>
H& keep_in_scope(H handle) {
  auto kept = std::make_shared<detail::KeptHandle<H>>(std::move(handle));
  H& there = kept->handle;
  AsyncResourceManager::add(std::move(kept));
  return there;
}

}  // namespace asyncio
