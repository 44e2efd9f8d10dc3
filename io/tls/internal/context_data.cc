#include <asyncio/tls/internal/context_data.h>

#include <limits>
#include <stdexcept>

#include <openssl/err.h>
#include <openssl/pem.h>

namespace asyncio::detail {
namespace {

BioPtr open_text(const std::string& text) {
  if (text.size() > std::numeric_limits<int>::max()) throw std::invalid_argument("PEM over 2 GiB");
  return BioPtr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

/// Without it OpenSSL would ask whoever sits at the terminal.
int no_password(char* /*into*/, int /*size*/, int /*writing*/, void* /*data*/) noexcept {
  return -1;
}

}  // namespace

std::string alpn_as_sent(const std::vector<std::string>& protocols, const char* call) {
  std::string sent;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      throw std::invalid_argument(std::string{call} +
                                  ": the name of an application protocol has 1 to 255 bytes");
    }
    sent += static_cast<char>(protocol.size());
    sent += protocol;
  }
  return sent;
}

std::vector<X509Ptr> read_certificates(const std::string& pem, const char* call) {
  ERR_clear_error();
  const BioPtr text = open_text(pem);
  std::vector<X509Ptr> certificates;
  while (X509* next = PEM_read_bio_X509(text.get(), nullptr, &no_password, nullptr)) {
    certificates.emplace_back(next);
  }
  const unsigned long last = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  if (!at_end || certificates.empty()) {
    throw_openssl_error(std::string{call} + ": cannot read a certificate; give it as PEM");
  }
  ERR_clear_error();
  return certificates;
}

void use_identity(SSL_CTX& context, const TlsIdentity& identity, const char* call) {
  std::vector<X509Ptr> chain = read_certificates(identity.certificates, call);
  const BioPtr text = open_text(identity.key);
  const KeyPtr key{PEM_read_bio_PrivateKey(text.get(), nullptr, &no_password, nullptr)};
  if (key == nullptr) {
    throw_openssl_error(std::string{call} + ": cannot read the key; give it as PEM, not encrypted");
  }
  if (SSL_CTX_use_certificate(&context, chain.front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(&context, key.get()) != 1) {
    throw_openssl_error(std::string{call} + ": the certificate and the key cannot be used");
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add0_chain_cert(&context, chain[i].get()) != 1) {
      throw_openssl_error(std::string{call} + ": a certificate of the chain cannot be used");
    }
    chain[i].release();  // NOLINT(bugprone-unused-return-value): the context has it
  }
}

}  // namespace asyncio::detail
