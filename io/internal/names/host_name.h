// Names of hosts: which text may be one, and what is known from the name alone.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace asyncio::detail {

class HostName {
 public:
  /// Throws: ResolveError (invalid_name), which names `call`.
  HostName(std::string_view host, const char* call);

  /// As it was given, without a dot at its end.
  const std::string& text() const noexcept { return text_; }
  /// Had it a dot at its end?  Then no domain is searched.
  bool is_absolute() const noexcept { return is_absolute_; }
  /// What equal names have in common: lower case, and no dot at the end.
  const std::string& key() const noexcept { return key_; }
  std::size_t dots() const noexcept;

  /// Is it `domain`, which has no dot at its ends and is in lower case, or below it?
  bool is_within(std::string_view domain) const noexcept;

 private:
  std::string text_;
  std::string key_;
  bool is_absolute_;
};

/// For messages: `call("host")`, however long it is and whatever is in it.
std::string call_of_host(const char* call, std::string_view host);

}  // namespace asyncio::detail
