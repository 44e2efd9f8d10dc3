// The two macros of the public headers.  Neither changes what code means.
#pragma once

/// Symbols of the shared library.  Everything else is hidden.
#define ASYNCIO_API [[gnu::visibility("default")]]

/// Marks one of the 22 APIs whose name and shape are frozen (docs/stable_api.md lists them).
/// Expands to nothing: it is a promise to the reader, checked by tests/contract/.
#define ASYNCIO_API_STABLE
