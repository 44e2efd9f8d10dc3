#include <asyncio/io/errors.h>

#include <utility>

namespace asyncio {
namespace {

std::string listed(const std::string& what, const std::vector<Attempt>& attempts) {
  if (attempts.size() == 1) return what;
  std::string text = what + ": none of " + std::to_string(attempts.size()) + " addresses works (";
  for (const Attempt& attempt : attempts) {
    if (&attempt != attempts.data()) text += "; ";
    text += attempt.to.to_string() + ": " + attempt.code.message();
  }
  return text + ")";
}

}  // namespace

// Out of line, so that each type's identity lives in one shared object: a `catch` across a library
// boundary depends on it.
IoError::IoError(const std::string& what, std::error_code code)
    : Error(what + ": " + code.message()), code_(code) {}
IoError::~IoError() = default;

ConnectError::ConnectError(const std::string& what, std::vector<Attempt> attempts)
    : IoError(listed(what, attempts), attempts.front().code),
      attempts_(std::make_shared<const std::vector<Attempt>>(std::move(attempts))) {}
ConnectError::~ConnectError() = default;

ResolveError::ResolveError(const std::string& message, Why why) : Error(message), why_(why) {}
ResolveError::~ResolveError() = default;

EndOfStreamError::EndOfStreamError(const std::string& message, std::size_t got)
    : Error(message), got_(got) {}
EndOfStreamError::~EndOfStreamError() = default;

LimitError::LimitError(const std::string& message, std::size_t limit)
    : Error(message), limit_(limit) {}
LimitError::~LimitError() = default;

}  // namespace asyncio
