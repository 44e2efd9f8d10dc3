// Errors of system calls, as exceptions.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

#include <asyncio/io/errors.h>

namespace asyncio::detail {

inline std::error_code error_code_of(int error) noexcept { return {error, std::system_category()}; }

/// Throws IoError: `call`, on descriptor `fd` unless that is negative, has failed.
[[noreturn]] inline void throw_io_error(const char* call, int fd, int error = errno) {
  const std::string which = fd < 0 ? "" : "(fd " + std::to_string(fd) + ")";
  throw IoError(call + which, error_code_of(error));
}

}  // namespace asyncio::detail
