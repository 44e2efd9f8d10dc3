#include <asyncio/resource/context.h>

#include <functional>
#include <stdexcept>

#include <asyncio/core/detail/of_loop.h>
#include <asyncio/core/detail/task_control.h>
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

detail::TaskControl& task_or_throw(const char* call) {
  detail::TaskControl* self = detail::current_task_control();
  if (self == nullptr) {
    throw NotInTaskError(std::string{call} +
                         " outside a task: a context belongs to a task; call it in one, started "
                         "by " +
                         detail::where_tasks_start());
  }
  return *self;
}

const Context* context_of(const detail::TaskControl& task) noexcept {
  return static_cast<const Context*>(task.context.get());
}

Values& own_values_of(detail::TaskControl& task) {
  if (task.context == nullptr) {
    task.context = std::make_shared<Context>();
  } else if (task.context.use_count() > 1) {
    task.context = context_of(task)->unshared();
  }
  return static_cast<Context&>(*task.context).own();
}

Value own_value_of(const detail::TaskControl& task, std::string_view key) {
  const Context* context = context_of(task);
  if (context == nullptr || context->own_or_null() == nullptr) return nullptr;
  const auto found = context->own_or_null()->find(key);
  return found == context->own_or_null()->end() ? nullptr : found->second;
}

// What a change drops is destroyed last: its destructor is user code, and may call back.
void put(detail::TaskControl& task, std::string_view key, Value value) {
  const Value dropped = std::exchange(
      own_values_of(task).try_emplace(std::string{key}).first->second, std::move(value));
}

void drop(detail::TaskControl& task, std::string_view key) {
  if (own_value_of(task, key) == nullptr) return;
  Values& own = own_values_of(task);
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
  const Context* context = context_of(task_or_throw(call));
  return context == nullptr ? nullptr : context->find(key);
}

detail::ContextToken detail::replace_context(std::string_view key, std::any value) {
  TaskControl& self = task_or_throw("ContextVar::set");
  ContextToken token{std::string{key}, self.id, own_value_of(self, key)};
  put(self, key, std::make_shared<const std::any>(std::move(value)));
  return token;
}

void detail::restore_context(std::string_view key, const ContextToken& token) {
  TaskControl& self = task_or_throw("ContextVar::reset");
  const std::string call = "ContextVar::reset of '" + std::string{key} + "' with a token ";
  if (token.key != key) {
    throw std::invalid_argument(call + "of '" + token.key +
                                "': a token is for the variable whose set() gave it");
  }
  if (token.task != self.id) {
    throw InvalidStateError(call + "of another task: reset it in the task that has set it");
  }
  if (token.used) {
    throw InvalidStateError(call + "that was used before: each set() is undone once");
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
      "set_context of '" + std::string{key} +
      "' to a null pointer to text: pass text, or nullptr itself for nothing");
}

void set_context(std::string_view key, std::any value) {
  put(task_or_throw("set_context"), key, std::make_shared<const std::any>(std::move(value)));
}

bool has_context(std::string_view key) {
  return detail::find_context(key, "has_context") != nullptr;
}

void delete_context(std::string_view key) { drop(task_or_throw("delete_context"), key); }

std::map<std::string, std::any> get_all_context(bool include_parent) {
  const Context* context = context_of(task_or_throw("get_all_context"));
  std::map<std::string, std::any> copies;
  if (context == nullptr) return copies;
  for (const auto& [key, value] : context->all(include_parent)) copies.emplace(key, *value);
  return copies;
}

void clear_context() { task_or_throw("clear_context").context.reset(); }

}  // namespace asyncio
