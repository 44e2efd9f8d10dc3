// Context: values that a task inherits, by name.
#pragma once

#include <any>
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <asyncio/core/export.h>

namespace asyncio {

/// A context value is not of the type asked for; what() names the key and both types.
class ASYNCIO_API ContextTypeError : public std::bad_any_cast {
 public:
  ContextTypeError(const char* call, std::string_view key, const std::type_info& held,
                   const std::type_info& asked);
  ~ContextTypeError() override;
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

namespace detail {

/// What one ContextVar::set() replaced.
struct ContextToken {
  std::string key;
  std::uint64_t task;                        ///< id of the task that called set(), or of its thread
  std::shared_ptr<const std::any> previous;  ///< the task's own value, or null
  mutable bool used = false;
};

/// The value as seen by the current task, or null.
/// Throws: NotInTaskError naming `call`.
ASYNCIO_API const std::any* find_context(std::string_view key, const char* call);
ASYNCIO_API ContextToken replace_context(std::string_view key, std::any value);
ASYNCIO_API void restore_context(std::string_view key, const ContextToken& token);
[[noreturn]] ASYNCIO_API void throw_null_text(std::string_view key);

template <class T>
T typed_context(std::string_view key, T fallback, const char* call) {
  const std::any* value = find_context(key, call);
  if (value == nullptr) return fallback;
  if constexpr (std::is_same_v<T, std::any>) {
    return *value;
  } else {
    const T* typed = std::any_cast<T>(value);
    if (typed == nullptr) throw ContextTypeError(call, key, value->type(), typeid(T));
    return *typed;
  }
}

}  // namespace detail

/// Sets a value of the current task.  Tasks it creates from now on inherit it; what they set stays
/// their own, and what is set here later does not reach them.
/// Suspends: never (none of these functions does).
/// Throws: NotInTaskError outside a task (as all of these functions).  What a task gives to
/// to_thread() has a context of its own, inherited from the task.
/// Cost: O(log n).  The first change after creating a task is O(n) in the current task's own
/// values, and so is one in sixteen generations of tasks that each set something; no value is
/// copied.  Creating a task costs no more with a context, however large.
ASYNCIO_API ASYNCIO_API_STABLE void set_context(std::string_view key, std::any value);

/// Likewise for a value of any copyable type; text, such as a literal, becomes a std::string.
/// Throws: std::invalid_argument for a null pointer to text.
template <class T>
requires(!std::is_same_v<std::decay_t<T>, std::any> &&
         std::copy_constructible<std::decay_t<T>>) void set_context(std::string_view key,
                                                                    T&& value) {
  using Value = std::decay_t<T>;
  constexpr bool is_text =
      std::is_convertible_v<T, std::string_view> && !std::is_null_pointer_v<Value>;
  if constexpr (is_text && !std::is_same_v<Value, std::string>) {
    if constexpr (std::is_pointer_v<std::remove_cvref_t<T>>) {
      if (value == nullptr) detail::throw_null_text(key);
    }
    set_context(key, std::any{std::string{std::string_view{value}}});
  } else {
    set_context(key, std::any{std::forward<T>(value)});
  }
}

/// The value under `key`, own or inherited, or `fallback`.
/// Throws: ContextTypeError (a std::bad_any_cast) for a value of another type.
template <class T>
ASYNCIO_API_STABLE T get_context(std::string_view key, T fallback = {}) {
  return detail::typed_context<T>(key, std::move(fallback), "get_context");
}

/// The text under `key`: set_context() stores it as a std::string.
inline std::string get_context(std::string_view key, const char* fallback) {
  return get_context<std::string>(key, fallback);
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
    explicit Token(detail::ContextToken token) : token_(std::move(token)) {}
    detail::ContextToken token_;
  };

  explicit ContextVar(std::string name, T fallback = {})
      : name_(std::move(name)), fallback_(std::move(fallback)) {}

  const std::string& name() const noexcept { return name_; }
  T get() const { return detail::typed_context<T>(name_, fallback_, "ContextVar::get"); }
  Token set(T value) const {
    return Token{detail::replace_context(name_, std::any{std::move(value)})};
  }
  /// Puts back what was replaced by the set() that returned `token`.
  /// Throws: std::invalid_argument for a token of another variable; InvalidStateError for one that
  /// was used before, or in another task.
  void reset(const Token& token) const { detail::restore_context(name_, token.token_); }

 private:
  std::string name_;
  T fallback_;
};

}  // namespace asyncio
