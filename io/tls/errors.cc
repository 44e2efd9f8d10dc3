#include <asyncio/tls/errors.h>

#include <string>

#include <openssl/err.h>

namespace asyncio {
namespace {

class TlsCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  std::string message(int code) const override {
    const char* reason = ERR_reason_error_string(static_cast<unsigned long>(code));
    return reason != nullptr ? reason : "OpenSSL's error " + std::to_string(code);
  }
};

}  // namespace

const std::error_category& tls_category() noexcept {
  static const TlsCategory category;
  return category;
}

// Out of line, so that each type's identity lives in one shared object.
TlsError::~TlsError() = default;
TlsTruncatedError::~TlsTruncatedError() = default;

}  // namespace asyncio
