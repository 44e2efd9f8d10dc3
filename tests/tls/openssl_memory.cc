#include <asyncio/tests/tls/openssl_memory.h>

#include <atomic>
#include <cstdlib>

#include <openssl/crypto.h>

namespace asyncio::test {
namespace {

constinit std::atomic<std::size_t> taken_by_openssl = 0;

void* counted_malloc(std::size_t size, const char* /*file*/, int /*line*/) {
  ++taken_by_openssl;
  return std::malloc(size);
}
void* counted_realloc(void* memory, std::size_t size, const char* /*file*/, int /*line*/) {
  ++taken_by_openssl;
  return std::realloc(memory, size);
}
void counted_free(void* memory, const char* /*file*/, int /*line*/) { std::free(memory); }

// OpenSSL takes these only before it has taken memory for the first time.
const bool openssl_is_counted =
    CRYPTO_set_mem_functions(&counted_malloc, &counted_realloc, &counted_free) == 1;

}  // namespace

std::size_t openssl_allocations() {
  if (!openssl_is_counted) std::abort();
  return taken_by_openssl;
}

}  // namespace asyncio::test
