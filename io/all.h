// All of the library asyncio-io, in one header: <asyncio/io/all.h>.  The library itself never
// includes this file.
#pragma once

#include <asyncio/io/buffered_reader.h>
#include <asyncio/io/buffered_writer.h>
#include <asyncio/io/bytes.h>
#include <asyncio/io/command.h>
#include <asyncio/io/copy.h>
#include <asyncio/io/datagram.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/exit_status.h>
#include <asyncio/io/export.h>
#include <asyncio/io/fd.h>
#include <asyncio/io/file.h>
#include <asyncio/io/ip_address.h>
#include <asyncio/io/keep_in_scope.h>
#include <asyncio/io/passed_sockets.h>
#include <asyncio/io/pipe.h>
#include <asyncio/io/process.h>
#include <asyncio/io/resolver.h>
#include <asyncio/io/run_process.h>
#include <asyncio/io/send_file.h>
#include <asyncio/io/server.h>
#include <asyncio/io/standard_streams.h>
#include <asyncio/io/stream.h>
#include <asyncio/io/tcp_listener.h>
#include <asyncio/io/tcp_options.h>
#include <asyncio/io/tcp_stream.h>
#include <asyncio/io/udp.h>
#include <asyncio/io/unix_datagram.h>
#include <asyncio/io/unix_listener.h>
#include <asyncio/io/unix_stream.h>
