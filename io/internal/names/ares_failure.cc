#include <asyncio/io/internal/names/ares_failure.h>

#include <cerrno>
#include <new>
#include <string>

#include <ares.h>

#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {
namespace {

using enum ResolveError::Why;

/// The higher, the less may be concluded from it about the name.
int rank(const LookupFailure& failure) noexcept {
  switch (failure.why) {
    case no_such_name:
      return 0;
    case invalid_name:
      return 1;
    case no_address:
      return 2;
    case server_failed:
      return 3;
    case timed_out:
      break;
  }
  return 4;
}

}  // namespace

void throw_ares_error(const char* call, int status) {
  if (status == ARES_ENOMEM) throw std::bad_alloc{};
  throw IoError(std::string{call} + ": c-ares cannot begin (" + ares_strerror(status) + ")",
                error_code_of(EIO));
}

LookupFailure ares_failure(int status) {
  switch (status) {
    case ARES_ENOTFOUND:
      return {no_such_name, "there is no such name"};
    case ARES_ENODATA:
      return {no_address, "the name has no address of the family that was asked for"};
    case ARES_ETIMEOUT:
      return {timed_out, "no name server answered in time"};
    case ARES_EBADNAME:
      return {invalid_name, "it cannot be a name"};
    case ARES_ECONNREFUSED:
      return {server_failed, "no name server could be reached"};
    default:
      return {server_failed, std::string{"the name servers fail: "} + ares_strerror(status)};
  }
}

bool is_temporary(const LookupFailure& failure) noexcept { return rank(failure) >= 3; }

LookupFailure the_more_telling(const std::optional<LookupFailure>& earlier,
                               const LookupFailure& later) {
  return earlier && rank(*earlier) > rank(later) ? *earlier : later;
}

}  // namespace asyncio::detail
