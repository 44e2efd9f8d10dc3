// What this library throws besides the runtime's own errors: BusyError for a second reader or
// writer, ClosedError for what is closed, TimeoutException, std::invalid_argument for bad input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <asyncio/core/errors.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/export.h>

namespace asyncio {

/// The operating system refused an operation, or the peer broke off.
class ASYNCIO_IO_API IoError : public Error {
 public:
  /// The message is `what`, then what `code` stands for.
  IoError(const std::string& what, std::error_code code);
  ~IoError() override;

  /// The errno, in std::system_category(): comparable with std::errc.
  std::error_code code() const noexcept { return code_; }

 private:
  std::error_code code_;
};

/// One address that a connect has tried, and what came of it.
struct Attempt {
  Endpoint to;
  std::error_code code;
};

/// No address could be connected to.  The message lists each attempt; code() is the first one's.
class ASYNCIO_IO_API ConnectError : public IoError {
 public:
  /// Requires: at least one attempt.
  ConnectError(const std::string& what, std::vector<Attempt> attempts);
  ~ConnectError() override;

  /// In the order in which they began.
  std::span<const Attempt> attempts() const noexcept { return *attempts_; }

 private:
  std::shared_ptr<const std::vector<Attempt>> attempts_;
};

/// A name led to no address.
class ASYNCIO_IO_API ResolveError : public Error {
 public:
  enum class Why : std::uint8_t {
    no_such_name,   ///< there is none in the whole domain name system
    no_address,     ///< there is one, and it has no address
    timed_out,      ///< no server answered
    server_failed,  ///< a server answered that it cannot tell, or could not be reached
    invalid_name,   ///< no name can look like that, so nobody was asked
  };

  ResolveError(const std::string& message, Why why);
  ~ResolveError() override;

  Why why() const noexcept { return why_; }

 private:
  Why why_;
};

/// The stream ended before all that was asked for had come.  What came stays readable.
class ASYNCIO_IO_API EndOfStreamError : public Error {
 public:
  EndOfStreamError(const std::string& message, std::size_t got);
  ~EndOfStreamError() override;

  /// How many bytes came.
  std::size_t got() const noexcept { return got_; }

 private:
  std::size_t got_;
};

/// Input is longer than the caller takes.  What came stays readable.
class ASYNCIO_IO_API LimitError : public Error {
 public:
  LimitError(const std::string& message, std::size_t limit);
  ~LimitError() override;

  std::size_t limit() const noexcept { return limit_; }

 private:
  std::size_t limit_;
};

}  // namespace asyncio
