// Two ends of a TLS connection over the loopback.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/tls/certificates.h>
#include <asyncio/tls/all.h>

namespace asyncio::test {

struct TlsPair {
  TlsStream client;
  TlsStream server;
};

/// Connects one.
inline TlsPair make_tls_pair(const TlsContext& client, const TlsContext& server,
                             const std::string& host = "example.org") {
  TcpPair tcp = make_tcp_pair();
  auto accepting = create_task([&] { return TlsStream::accept(std::move(tcp.server), server); });
  std::optional<TlsStream> connected;
  try {
    connected = TlsStream::connect(std::move(tcp.client), host, client);
  } catch (const TlsError&) {
    try {
      static_cast<void>(await(std::move(accepting)));
    } catch (const IoError&) {  // it has failed as well, of course
    }
    throw;
  }
  return {*std::move(connected), await(std::move(accepting))};
}

inline TlsPair make_tls_pair(const TlsClientOptions& client = client_options(),
                             const TlsServerOptions& server = server_options()) {
  return make_tls_pair(TlsContext::client(client), TlsContext::server(server));
}

/// Of one version.
inline TlsPair make_tls_pair(TlsVersion version) {
  TlsClientOptions client = client_options();
  client.oldest = client.newest = version;
  return make_tls_pair(client);
}

constexpr TlsVersion both_versions[] = {TlsVersion::v1_2, TlsVersion::v1_3};

}  // namespace asyncio::test
