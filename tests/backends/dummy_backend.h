// A third party's backend, used only by tests: what it takes to write one, step by step in the .cc.
#pragma once

#include <asyncio/core/backends.h>

namespace asyncio::test {

/// The backend "dummy", over poll(2).
BackendInfo dummy_backend();

/// Puts it into the registry.  May be called more than once.
void register_dummy_backend();

}  // namespace asyncio::test
