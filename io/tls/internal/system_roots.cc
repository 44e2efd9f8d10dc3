#include <asyncio/tls/internal/system_roots.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>

#include <openssl/err.h>

#include <asyncio/core/lowlevel/thread_lane.h>
#include <asyncio/core/thread.h>

namespace asyncio::detail {
namespace {

// Of Debian, Fedora, SUSE and Alpine.
constexpr std::array<const char*, 4> usual_files{
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

// One at a time, so that whoever comes second finds them loaded.
constexpr lowlevel::ThreadLane roots_lane{1};

constinit std::atomic<bool> roots_are_loaded = false;

const char* environment(const char* name) noexcept {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value != nullptr && *value != '\0' ? value : nullptr;
}

bool load_file(X509_STORE& store, const char* path) noexcept {
  return X509_STORE_load_file(&store, path) == 1;
}

/// A folder in which each certificate is found by a hash; it is looked into when one is needed.
bool use_folder(X509_STORE& store, const char* path) noexcept {
  return X509_STORE_load_path(&store, path) == 1;
}

bool read_roots(X509_STORE& store) noexcept {
  const char* file = environment(X509_get_default_cert_file_env());
  const char* folder = environment(X509_get_default_cert_dir_env());
  bool found = false;
  if (file != nullptr) found = load_file(store, file);
  if (folder != nullptr) found = use_folder(store, folder) || found;
  if (file != nullptr || folder != nullptr) return found;
  if (load_file(store, X509_get_default_cert_file())) return true;
  for (const char* usual : usual_files) {
    if (load_file(store, usual)) return true;
  }
  return use_folder(store, X509_get_default_cert_dir());
}

}  // namespace

X509_STORE& system_roots() {
  // Contexts refer to it, and programs may still have some at their very end.
  static X509_STORE* const store = X509_STORE_new();
  if (store == nullptr) throw_openssl_error("TlsContext");
  return *store;
}

void load_system_roots(const char* call) {
  if (roots_are_loaded) return;
  X509_STORE* const store = &system_roots();
  const bool found = to_thread(roots_lane, abandon, [store] {
    if (!roots_are_loaded) roots_are_loaded = read_roots(*store);
    ERR_clear_error();  // some of the files were not there
    return roots_are_loaded.load();
  });
  if (found) return;
  throw TlsError(std::string{call} +
                     ": the system trusts nobody, so no peer can be verified; install "
                     "ca-certificates, or set TlsClientOptions::roots",
                 {static_cast<int>(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_CERTIFICATE_VERIFY_FAILED)),
                  tls_category()});
}

}  // namespace asyncio::detail
