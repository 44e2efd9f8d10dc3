// Certificates of the test's own, made when it runs.
#pragma once

#include <memory>
#include <string>

#include <asyncio/tls/all.h>

namespace asyncio::test {

/// An authority that nobody trusts but who is told to.
class Authority {
 public:
  /// Makes its key and its certificate.
  explicit Authority(const std::string& name);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  /// PEM: the certificate.
  const std::string& root() const { return root_; }

  struct Wanted {
    /// As in "DNS:example.org,IP:127.0.0.1"; empty: the common name alone says whose it is.
    std::string names = "DNS:example.org";
    std::string common_name = "test";
    bool expired = false;
  };
  /// A certificate and its key.
  TlsIdentity issue(const Wanted& wanted) const;
  /// Of example.org.
  TlsIdentity issue() const { return issue(Wanted{}); }

 private:
  struct Key;

  std::unique_ptr<Key> key_;
  std::string root_;
};

/// The one of all cases, so that few keys have to be made.
const Authority& authority();
/// A certificate for example.org by it.
const TlsIdentity& example_identity();

/// Of contexts that fit each other.
TlsClientOptions client_options();
TlsServerOptions server_options();

}  // namespace asyncio::test
