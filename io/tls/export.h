// The macro of this library's public headers.
#pragma once

/// Symbols of the shared library asyncio-tls.  Everything else is hidden.
#define ASYNCIO_TLS_API [[gnu::visibility("default")]]
