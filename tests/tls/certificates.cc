#include <asyncio/tests/tls/certificates.h>

#include <cstdint>
#include <stdexcept>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace asyncio::test {

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using TestKey = std::unique_ptr<EVP_PKEY, FreeKey>;
using TestCertificate = std::unique_ptr<X509, FreeCertificate>;

namespace {

void must(bool works) {
  if (!works) throw std::runtime_error("making a certificate");
}

TestKey make_key() {
  TestKey key{EVP_EC_gen("P-256")};
  must(key != nullptr);
  return key;
}

template <class Write>
std::string as_pem(Write&& write) {
  BIO* const memory = BIO_new(BIO_s_mem());
  must(write(memory) == 1);
  char* begin = nullptr;
  const long size = BIO_get_mem_data(memory, &begin);
  std::string text{begin, static_cast<std::size_t>(size)};
  BIO_free(memory);
  return text;
}

std::string pem_of(X509& certificate) {
  return as_pem([&](BIO* memory) { return PEM_write_bio_X509(memory, &certificate); });
}

void add_extension(X509& to, X509& issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &issuer, &to, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  must(extension != nullptr && X509_add_ext(&to, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

/// Without extensions, and not signed.
TestCertificate make_certificate(EVP_PKEY& key, const std::string& name, long valid_for) {
  static std::int64_t serial = 1000;
  TestCertificate made{X509_new()};
  must(X509_set_version(made.get(), X509_VERSION_3) == 1);
  ASN1_INTEGER_set_int64(X509_get_serialNumber(made.get()), ++serial);
  constexpr long two_days = 2 * 24 * 3600;
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -two_days);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), valid_for);
  must(X509_set_pubkey(made.get(), &key) == 1);
  must(X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                                  reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                                  0) == 1);
  return made;
}

constexpr long one_day = 24 * 3600;

}  // namespace

struct Authority::Key {
  TestKey key;
  TestCertificate certificate;
};

Authority::Authority(const std::string& name) : key_(std::make_unique<Key>()) {
  key_->key = make_key();
  key_->certificate = make_certificate(*key_->key, name, one_day);
  X509& root = *key_->certificate;
  X509_set_issuer_name(&root, X509_get_subject_name(&root));
  add_extension(root, root, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(root, root, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(root, root, NID_subject_key_identifier, "hash");
  must(X509_sign(&root, key_->key.get(), EVP_sha256()) > 0);
  root_ = pem_of(root);
}

Authority::~Authority() = default;

TlsIdentity Authority::issue(const Wanted& wanted) const {
  const TestKey key = make_key();
  const TestCertificate made =
      make_certificate(*key, wanted.common_name, wanted.expired ? -one_day : one_day);
  X509& root = *key_->certificate;
  X509_set_issuer_name(made.get(), X509_get_subject_name(&root));
  add_extension(*made, root, NID_basic_constraints, "CA:FALSE");
  add_extension(*made, root, NID_authority_key_identifier, "keyid");
  if (!wanted.names.empty()) add_extension(*made, root, NID_subject_alt_name, wanted.names);
  must(X509_sign(made.get(), key_->key.get(), EVP_sha256()) > 0);
  return {pem_of(*made), as_pem([&](BIO* memory) {
            return PEM_write_bio_PrivateKey(memory, key.get(), nullptr, nullptr, 0, nullptr,
                                            nullptr);
          })};
}

const Authority& authority() {
  static const Authority one{"the tests' authority"};
  return one;
}

const TlsIdentity& example_identity() {
  static const TlsIdentity identity = authority().issue();
  return identity;
}

TlsClientOptions client_options() {
  TlsClientOptions options;
  options.roots = authority().root();
  return options;
}

TlsServerOptions server_options() {
  TlsServerOptions options;
  options.identity = example_identity();
  return options;
}

}  // namespace asyncio::test
