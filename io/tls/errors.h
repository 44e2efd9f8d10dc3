// What this library throws besides asyncio-io's errors.
#pragma once

#include <system_error>

#include <asyncio/io/errors.h>
#include <asyncio/tls/export.h>

namespace asyncio {

/// Of the codes that OpenSSL gives its errors.
ASYNCIO_TLS_API const std::error_category& tls_category() noexcept;

/// The two sides do not agree, the peer's certificate is refused, or somebody has changed bytes on
/// their way.  The message says which; code() is OpenSSL's, in tls_category().  The stream is of no
/// more use.
class ASYNCIO_TLS_API TlsError : public IoError {
 public:
  using IoError::IoError;
  ~TlsError() override;
};

/// The connection has ended, and the peer did not say by TLS that it would: somebody may have cut
/// off what it sent.  Writing may still work.
class ASYNCIO_TLS_API TlsTruncatedError : public TlsError {
 public:
  using TlsError::TlsError;
  ~TlsTruncatedError() override;
};

}  // namespace asyncio
