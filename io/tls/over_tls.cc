#include <asyncio/tls/over_tls.h>

#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/core/errors.h>
#include <asyncio/tls/internal/context_data.h>

namespace asyncio {

std::optional<TlsStream> detail::accept_tls(TcpStream tcp, const TlsContext& context,
                                            Server& server) {
  const auto begins = [&tcp, limit = context.data()->handshake_timeout] {
    const bool in_time = CancellationScope::try_run([&tcp] { tcp.wait_readable(); },
                                                    {.timeout = limit, .name = "over_tls"});
    if (!in_time) throw TimeoutException("over_tls: the client does not begin the handshake");
  };
  if (!server.idle(begins)) return std::nullopt;
  return TlsStream::accept(std::move(tcp), context);
}

}  // namespace asyncio
