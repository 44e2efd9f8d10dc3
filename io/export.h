// The macro of this library's public headers.
#pragma once

/// Symbols of the shared library asyncio-io.  Everything else is hidden.
#define ASYNCIO_IO_API [[gnu::visibility("default")]]
