// Whether the libevent that a program runs is the one that its headers tell of.
#pragma once

#include <stdexcept>
#include <string>

#include <event2/event.h>

#include <asyncio/core/errors.h>

#if LIBEVENT_VERSION_NUMBER < 0x02010000
#error "attach(event_base*) needs libevent 2.1; use asyncio::attach_by_descriptor() with this one"
#endif

namespace asyncio::detail {

// In each source of its own, since another program's headers would make something else of it.
namespace {  // NOLINT(google-build-namespaces)

/// Whether the functions that libev imitates are libevent's: of these two it imitates only the
/// first.
[[maybe_unused]] inline bool is_libevent_itself() {
  const std::string major = std::to_string(event_get_version_number() >> 24) + '.';
  return std::string{event_get_version()}.starts_with(major);
}

/// Throws: std::invalid_argument for null; BackendError.
[[maybe_unused]] inline void check_libevent(const event_base* base) {
  if (base == nullptr) {
    throw std::invalid_argument("attach(nullptr): pass the event_base that the program runs");
  }
  if (!is_libevent_itself()) {
    throw BackendError(
        "attach: libev's imitation of libevent hides libevent in this program: link libevent_core "
        "before libev");
  }
  // Other major or minor versions lay their structures out differently.
  if ((event_get_version_number() ^ LIBEVENT_VERSION_NUMBER) >> 16 != 0) {
    throw BackendError(
        std::string{"attach: the program runs a libevent other than its headers tell of, "} +
        event_get_version() +
        " instead of " LIBEVENT_VERSION
        ": compile with the headers of that one, or have the program watch a descriptor, with "
        "attach_by_descriptor()");
  }
}

}  // namespace
}  // namespace asyncio::detail
