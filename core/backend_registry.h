// Choosing a backend: by name, by environment, or automatically.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/export.h>

namespace asyncio {

/// A backend as the registry knows it.
struct BackendInfo {
  std::string name;  ///< what EventLoopInterface::type() returns
  int rank = 0;      ///< "auto" tries higher ranks first: ev 300, event 200, select 100
  std::function<std::unique_ptr<EventLoopInterface>()> factory;
};

/// The names of the backends that can be made here, best first.
/// Threads: any.
ASYNCIO_API std::vector<std::string> available_backends();

/// Makes a backend.
///
/// "auto" (or "") means the environment variable ASYNCIO_BACKEND if it is set, else the build's
/// default, else the highest rank.  If creation fails, it says so on stderr and tries the next one.
/// A name means that backend and nothing else; the environment does not override it.
/// Throws: BackendError if the name is unknown or not compiled in (the message lists those that
/// are), and if creation fails.
/// Threads: any; the result belongs to the thread that uses it first.
ASYNCIO_API std::unique_ptr<EventLoopInterface> make_backend(std::string_view name = "auto");

/// Adds a third party's backend for the rest of the process.
/// Throws: BackendError if the name is empty, "auto" or taken, or the factory is empty.
/// Threads: any.
ASYNCIO_API void register_backend(BackendInfo backend);

}  // namespace asyncio
