// Whom the system trusts.
#pragma once

#include <asyncio/tls/internal/openssl.h>

namespace asyncio::detail {

/// The one store of the process.  It is empty until load_system_roots() has come back.
X509_STORE& system_roots();

/// Reads the system's roots into system_roots(), on a thread, unless that has been done: there are
/// some 140, which takes 50 ms.  Where they are is said by the environment variables SSL_CERT_FILE
/// and SSL_CERT_DIR, else by OpenSSL, else it is looked for where distributions have them.
/// Suspends: unless it has been done.
/// Cancels: Cancelled at once; the thread goes on.
/// Throws: TlsError if there are none.
void load_system_roots(const char* call);

}  // namespace asyncio::detail
