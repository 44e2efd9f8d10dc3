// OpenSSL's objects, owned; and its errors.
#pragma once

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <asyncio/tls/errors.h>

namespace asyncio::detail {

template <auto free>
struct FreeByOpenssl {
  template <class T>
  void operator()(T* object) const noexcept {
    free(object);
  }
};

using BioPtr = std::unique_ptr<BIO, FreeByOpenssl<&BIO_free>>;
using BioMethodPtr = std::unique_ptr<BIO_METHOD, FreeByOpenssl<&BIO_meth_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeByOpenssl<&EVP_PKEY_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, FreeByOpenssl<&SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, FreeByOpenssl<&SSL_free>>;
using SslSessionPtr = std::unique_ptr<SSL_SESSION, FreeByOpenssl<&SSL_SESSION_free>>;
using X509Ptr = std::unique_ptr<X509, FreeByOpenssl<&X509_free>>;
using X509StorePtr = std::unique_ptr<X509_STORE, FreeByOpenssl<&X509_STORE_free>>;

/// The first of the errors that this thread's calls have left, and forgets all of them.  The list
/// belongs to the thread, so it is empty before each call, and after it.
std::error_code take_openssl_error() noexcept;

/// Throws TlsError: `what` has failed, for the reason that the last call has left.
[[noreturn]] void throw_openssl_error(const std::string& what);

}  // namespace asyncio::detail
