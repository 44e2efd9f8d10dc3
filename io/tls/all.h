// All of the library asyncio-tls, in one header: <asyncio/tls/all.h>.  The library itself never
// includes this file.
#pragma once

#include <asyncio/tls/errors.h>
#include <asyncio/tls/export.h>
#include <asyncio/tls/over_tls.h>
#include <asyncio/tls/tls_context.h>
#include <asyncio/tls/tls_stream.h>
