// A backend over poll(2) by a third party, for asyncio::register_backend().
#pragma once

#include <asyncio/core/backend_registry.h>

namespace third_party {

/// The backend "poll", which "auto" takes after all that come with the library.
asyncio::BackendInfo poll_backend();

}  // namespace third_party
