// A server of TLS connections.
#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <utility>

#include <asyncio/io/server.h>
#include <asyncio/io/tcp_stream.h>
#include <asyncio/tls/export.h>
#include <asyncio/tls/tls_context.h>
#include <asyncio/tls/tls_stream.h>

namespace asyncio {

namespace detail {

/// Makes the handshake.  Nothing if a drain has begun and the client had not.
ASYNCIO_TLS_API std::optional<TlsStream> accept_tls(TcpStream tcp, const TlsContext& context,
                                                    Server& server);

}  // namespace detail

/// Makes of `handler`, which takes a TlsStream by reference, and the Server if it likes to, one for
/// a server of TCP connections:
///
///   serve(listener, over_tls(context, [](TlsStream& stream) { … }));
///
/// The handshake is made in the task of the connection, so a slow one delays nobody else.  When the
/// handler returns, the stream is closed by close(), so the peer gets all of it.  When it throws,
/// the peer gets TlsTruncatedError.  A drain ends connections that have not said anything yet.
template <class H>
auto over_tls(TlsContext context, H handler) {
  static_assert(std::invocable<H&, TlsStream&> || std::invocable<H&, TlsStream&, Server&>,
                "a handler takes a TlsStream by reference, and perhaps the Server: "
                "[](TlsStream& stream) { ... }");
  return [context = std::move(context), handler = std::move(handler)](TcpStream& tcp,
                                                                      Server& server) mutable {
    std::optional<TlsStream> stream = detail::accept_tls(std::move(tcp), context, server);
    if (!stream) return;
    if constexpr (std::invocable<H&, TlsStream&, Server&>) {
      std::invoke(handler, *stream, server);
    } else {
      std::invoke(handler, *stream);
    }
    stream->close();
  };
}

}  // namespace asyncio
