// Whether the libev that a program runs is the one that its ev.h tells of.
//
// A program may embed libev, with sizes and priorities of its own, and yet compile a source with
// the system's ev.h, or link the system's library first.  Neither compiler nor linker can tell, and
// whatever is called then writes where it should not.
#pragma once

#include <dlfcn.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include <ev.h>

#include <asyncio/core/errors.h>

namespace asyncio::detail {

// In each source of its own, since another program's ev.h would make something else of it.
namespace {  // NOLINT(google-build-namespaces)

/// Finds where libev looks for the callback of a watcher: it is asked to call that of a fake one,
/// in which every place has another function.
class CallbackPlace {
 public:
  /// In bytes from the watcher's address.
  static std::size_t find(struct ev_loop* loop) {
    Places fake = make(std::make_index_sequence<places>{});
    ev_invoke(loop, fake.data(), 0);
    return found * sizeof(Function);
  }

 private:
  using Function = void (*)(struct ev_loop*, void*, int);
  static constexpr std::size_t places = 64;
  using Places = std::array<Function, places>;

  template <std::size_t place>
  static void note(struct ev_loop* /*loop*/, void* /*watcher*/, int /*events*/) noexcept {
    found = place;
  }
  template <std::size_t... place>
  static Places make(std::index_sequence<place...> /*all*/) noexcept {
    return {&note<place>...};
  }

  static inline thread_local std::size_t found = 0;
};

/// Whether all that is called here comes from one library.  What a program's own copy was built
/// without would come from the system's.
[[maybe_unused]] inline bool is_one_copy() noexcept {
  const auto address = [](auto* function) { return reinterpret_cast<const void*>(function); };
  const void* const called[] = {
    address(&ev_run),
    address(&ev_invoke),
    address(&ev_loop_fork),
    address(&ev_loop_destroy),
    address(&ev_io_start),
    address(&ev_timer_start),
#if EV_PREPARE_ENABLE
    address(&ev_prepare_start),
#endif
#if EV_IDLE_ENABLE
    address(&ev_idle_start),
#endif
#if EV_FORK_ENABLE
    address(&ev_fork_start),
#endif
#if EV_CLEANUP_ENABLE
    address(&ev_cleanup_start),
#endif
  };
  const void* library = nullptr;
  for (const void* const function : called) {
    Dl_info found{};
    if (::dladdr(function, &found) == 0) continue;
    if (library != nullptr && library != found.dli_fbase) return false;
    library = found.dli_fbase;
  }
  return true;
}

/// Throws: std::invalid_argument for null; BackendError.
[[maybe_unused]] inline void check_libev(struct ev_loop* loop) {
  if (loop == nullptr) {
    throw std::invalid_argument("attach(nullptr): pass the ev_loop that the program runs");
  }
  const std::string advice =
      ": include the ev.h of the libev that the program runs before <asyncio/backends/libev.h>, or "
      "have the program watch a descriptor, with attach_by_descriptor()";
  if (ev_version_major() != EV_VERSION_MAJOR || ev_version_minor() < EV_VERSION_MINOR) {
    throw BackendError("attach: the program runs a libev other than its ev.h tells of, " +
                       std::to_string(ev_version_major()) + '.' +
                       std::to_string(ev_version_minor()) + advice);
  }
  if (!is_one_copy()) {
    throw BackendError(
        "attach: the program runs a libev that lacks watchers of its ev.h, which come "
        "from another one" +
        advice);
  }
  if (CallbackPlace::find(loop) != offsetof(ev_watcher, cb)) {
    throw BackendError(
        "attach: the watchers of the libev that the program runs differ from those "
        "of ev.h, as by EV_COMMON or EV_MINPRI" +
        advice);
  }
  const unsigned backend = ev_backend(loop);
  if (backend == 0 || (backend & (backend - 1)) != 0 || (backend & ev_supported_backends()) == 0) {
    throw BackendError("attach: the loop was made by another copy of libev than is called here" +
                       advice);
  }
}

}  // namespace
}  // namespace asyncio::detail
