// Context: values that a task inherits, by name.
#pragma once

#include <any>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <asyncio/core/export.h>

namespace asyncio {

/// A context value has another type than was asked for; what() names the key.
class ASYNCIO_API ContextTypeError : public std::bad_any_cast {
 public:
  ContextTypeError(std::string_view key, const std::type_info& held, const std::type_info& asked);
  ~ContextTypeError() override;
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

namespace detail {
/// The value as seen by the current task, or null.
/// Throws: NotInTaskError naming `call`.
ASYNCIO_API const std::any* find_context(std::string_view key, const char* call);
ASYNCIO_API std::optional<std::any> own_context(std::string_view key);
ASYNCIO_API void restore_context(std::string_view key, std::optional<std::any> value);
}  // namespace detail

/// Sets a value of the current task.  Tasks it creates from now on inherit it; what they set stays
/// theirs, and what is set here later does not reach them.
/// Suspends: never (none of these functions does).
/// Throws: NotInTaskError outside a task (as all of these functions).
ASYNCIO_API ASYNCIO_API_STABLE void set_context(std::string_view key, std::any value);

/// Likewise for a value of any copyable type; a string literal becomes a std::string.
template <class T>
requires(!std::is_same_v<std::decay_t<T>, std::any>) void set_context(std::string_view key,
                                                                      T&& value) {
  if constexpr (std::is_convertible_v<T, std::string_view> &&
                !std::is_same_v<std::decay_t<T>, std::string>) {
    set_context(key, std::any{std::string{std::string_view{value}}});
  } else {
    set_context(key, std::any{std::forward<T>(value)});
  }
}

/// The value under `key`, own or inherited, or `fallback`.
/// Throws: ContextTypeError (a std::bad_any_cast) for a value of another type.
template <class T>
ASYNCIO_API_STABLE T get_context(std::string_view key, T fallback = {}) {
  const std::any* value = detail::find_context(key, "get_context");
  if (value == nullptr) return fallback;
  if constexpr (std::is_same_v<T, std::any>) {
    return *value;
  } else {
    const T* typed = std::any_cast<T>(value);
    if (typed == nullptr) throw ContextTypeError(key, value->type(), typeid(T));
    return *typed;
  }
}

/// Is there a value, own or inherited?  An empty std::any counts.
ASYNCIO_API ASYNCIO_API_STABLE bool has_context(std::string_view key);

/// Drops the task's own value; an inherited one shows again.
ASYNCIO_API ASYNCIO_API_STABLE void delete_context(std::string_view key);

/// Every value, or only the task's own ones.
ASYNCIO_API ASYNCIO_API_STABLE std::map<std::string, std::any> get_all_context(
    bool include_parent = true);

/// Drops every value, own and inherited.
ASYNCIO_API ASYNCIO_API_STABLE void clear_context();

/// A context value with a type: the same store, without casts.
template <class T>
class ContextVar {
 public:
  /// What set() replaced, for reset().
  class Token {
   private:
    friend class ContextVar;
    explicit Token(std::optional<std::any> previous) : previous_(std::move(previous)) {}
    std::optional<std::any> previous_;
  };

  explicit ContextVar(std::string name, T fallback = {})
      : name_(std::move(name)), fallback_(std::move(fallback)) {}

  const std::string& name() const noexcept { return name_; }
  T get() const { return get_context<T>(name_, fallback_); }
  Token set(T value) const {
    Token token{detail::own_context(name_)};
    set_context(name_, std::any{std::move(value)});
    return token;
  }
  /// Puts back what the set() that gave `token` replaced.
  void reset(const Token& token) const { detail::restore_context(name_, token.previous_); }

 private:
  std::string name_;
  T fallback_;
};

}  // namespace asyncio
