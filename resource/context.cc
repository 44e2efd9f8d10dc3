#include <asyncio/resource/context.h>

#include <cstdint>
#include <functional>
#include <stdexcept>

#include <asyncio/core/detail/of_loop.h>
#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/detail/thread_context.h>
#include <asyncio/core/errors.h>
#include <asyncio/resource/internal/type_name.h>

namespace asyncio {
namespace {

// Values are shared between all contexts that see them, so that no snapshot ever copies one.
using Value = std::shared_ptr<const std::any>;
using Values = std::map<std::string, Value, std::less<>>;

// What was inherited: frozen maps, nearest first.
struct Snapshot {
  std::shared_ptr<const Values> values;
  std::shared_ptr<const Snapshot> rest;
  int depth;

  Snapshot(std::shared_ptr<const Values> nearest, std::shared_ptr<const Snapshot> others)
      : values(std::move(nearest)),
        rest(std::move(others)),
        depth(rest == nullptr ? 1 : rest->depth + 1) {}

  static const std::any* find(const Snapshot* at, std::string_view key) {
    for (; at != nullptr; at = at->rest.get()) {
      const auto found = at->values->find(key);
      if (found != at->values->end()) return found->second.get();
    }
    return nullptr;
  }
  static void collect(const Snapshot* at, Values& into) {
    for (; at != nullptr; at = at->rest.get()) into.insert(at->values->begin(), at->values->end());
  }
};

// Generations of tasks that each set something would make an endless chain, so it is merged now and
// then.
constexpr int longest_chain = 16;

// Several tasks share one as long as it has no values of its own.
class Context final : public detail::ContextBase, public std::enable_shared_from_this<Context> {
 public:
  explicit Context(std::shared_ptr<const Snapshot> inherited = nullptr)
      : inherited_(std::move(inherited)) {}

  std::shared_ptr<detail::ContextBase> inherit() override {
    if (own_ == nullptr || own_->empty()) return shared_from_this();
    if (heir_ == nullptr) {
      heir_ = std::make_shared<Context>(std::make_shared<const Snapshot>(own_, inherited_));
    }
    return heir_;
  }

  // An heir refers to nothing but frozen maps.
  std::shared_ptr<detail::ContextBase> inherit_alone() override {
    return static_cast<const Context&>(*inherit()).unshared();
  }

  /// Returns a context for a single task that sees the same values.  Requires: no values of its
  /// own.
  std::shared_ptr<Context> unshared() const { return std::make_shared<Context>(inherited_); }

  const std::any* find(std::string_view key) const {
    if (own_ != nullptr) {
      const auto found = own_->find(key);
      if (found != own_->end()) return found->second.get();
    }
    return Snapshot::find(inherited_.get(), key);
  }

  // The task's own values, to be changed: what children have inherited stays as it was.
  Values& own() {
    if (own_ == nullptr) {
      if (inherited_ != nullptr && inherited_->depth >= longest_chain) {
        inherited_ =
            std::make_shared<const Snapshot>(std::make_shared<const Values>(all(true)), nullptr);
      }
      own_ = std::make_shared<Values>();
    } else if (heir_ != nullptr) {
      own_ = std::make_shared<Values>(*own_);
      heir_ = nullptr;
    }
    return *own_;
  }
  const Values* own_or_null() const noexcept { return own_.get(); }

  Values all(bool include_parent) const {
    Values values = own_ == nullptr ? Values{} : *own_;
    if (include_parent) Snapshot::collect(inherited_.get(), values);
    return values;
  }

 private:
  std::shared_ptr<Values> own_;
  std::shared_ptr<const Snapshot> inherited_;
  std::shared_ptr<Context> heir_;  // what children inherit; made of own_, which is then frozen
};

// Where the context of the code that runs is kept, and whose it is.
struct Keeper {
  std::shared_ptr<detail::ContextBase>& context;
  std::uint64_t id;
};

Keeper keeper_or_throw(const char* call) {
  if (detail::TaskControl* self = detail::current_task_control()) return {self->context, self->id};
  if (detail::ThreadContext* thread = detail::ThreadContext::current()) {
    return {thread->context, thread->id};
  }
  throw NotInTaskError(std::string{call} + " must be called from a task, started by " +
                       detail::where_tasks_start() + ", or from what one runs with to_thread(...)");
}

const Context* context_of(const Keeper& keeper) noexcept {
  return static_cast<const Context*>(keeper.context.get());
}

Values& own_values_of(const Keeper& keeper) {
  if (keeper.context == nullptr) {
    keeper.context = std::make_shared<Context>();
  } else if (keeper.context.use_count() > 1) {
    keeper.context = context_of(keeper)->unshared();
  }
  return static_cast<Context&>(*keeper.context).own();
}

Value own_value_of(const Keeper& keeper, std::string_view key) {
  const Context* context = context_of(keeper);
  if (context == nullptr || context->own_or_null() == nullptr) return nullptr;
  const auto found = context->own_or_null()->find(key);
  return found == context->own_or_null()->end() ? nullptr : found->second;
}

// What a change drops is destroyed last: its destructor is user code, and may call back.
void put(const Keeper& keeper, std::string_view key, Value value) {
  const Value dropped = std::exchange(
      own_values_of(keeper).try_emplace(std::string{key}).first->second, std::move(value));
}

void drop(const Keeper& keeper, std::string_view key) {
  if (own_value_of(keeper, key) == nullptr) return;
  Values& own = own_values_of(keeper);
  const auto dropped = own.extract(own.find(key));
}

}  // namespace

ContextTypeError::ContextTypeError(const char* call, std::string_view key,
                                   const std::type_info& held, const std::type_info& asked)
    : message_(
          std::string{call} + ": the value under '" + std::string{key} + "' " +
          (held == typeid(void) ? "is an empty std::any" : "has type " + detail::type_name(held)) +
          ", not " + detail::type_name(asked) + "; ask for the type that was set") {}
ContextTypeError::~ContextTypeError() = default;

const std::any* detail::find_context(std::string_view key, const char* call) {
  const Context* context = context_of(keeper_or_throw(call));
  return context == nullptr ? nullptr : context->find(key);
}

detail::ContextToken detail::replace_context(std::string_view key, std::any value) {
  const Keeper self = keeper_or_throw("ContextVar::set");
  ContextToken token{std::string{key}, self.id, own_value_of(self, key)};
  put(self, key, std::make_shared<const std::any>(std::move(value)));
  return token;
}

void detail::restore_context(std::string_view key, const ContextToken& token) {
  const Keeper self = keeper_or_throw("ContextVar::reset");
  const std::string call = "ContextVar::reset of '" + std::string{key} + "': the token ";
  if (token.key != key) {
    throw std::invalid_argument(call + "comes from '" + token.key +
                                "'; pass one that this variable's set() returned");
  }
  if (token.task != self.id) {
    throw InvalidStateError(
        call + "comes from another task; reset the variable in the task that has set it");
  }
  if (token.used) {
    throw InvalidStateError(call + "was used before; each set() can be undone once");
  }
  token.used = true;
  if (token.previous != nullptr) {
    put(self, key, token.previous);
  } else {
    drop(self, key);
  }
}

void detail::throw_null_text(std::string_view key) {
  throw std::invalid_argument(
      "set_context('" + std::string{key} +
      "'): the pointer to text is null; pass text, or nullptr itself for nothing");
}

void set_context(std::string_view key, std::any value) {
  put(keeper_or_throw("set_context"), key, std::make_shared<const std::any>(std::move(value)));
}

bool has_context(std::string_view key) {
  return detail::find_context(key, "has_context") != nullptr;
}

void delete_context(std::string_view key) { drop(keeper_or_throw("delete_context"), key); }

std::map<std::string, std::any> get_all_context(bool include_parent) {
  const Context* context = context_of(keeper_or_throw("get_all_context"));
  std::map<std::string, std::any> copies;
  if (context == nullptr) return copies;
  for (const auto& [key, value] : context->all(include_parent)) copies.emplace(key, *value);
  return copies;
}

void clear_context() { keeper_or_throw("clear_context").context.reset(); }

}  // namespace asyncio
