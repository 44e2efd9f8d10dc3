#include <asyncio/resource/context.h>

#include <memory>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/detail/waiter.h>
#include <asyncio/core/errors.h>

namespace asyncio {
namespace {

using Values = std::map<std::string, std::any, std::less<>>;

// What was inherited: frozen maps, nearest first.
struct Snapshot {
  std::shared_ptr<const Values> values;
  std::shared_ptr<const Snapshot> rest;
  int depth = 1;

  static const std::any* find(const Snapshot* at, std::string_view key) {
    for (; at != nullptr; at = at->rest.get()) {
      const auto found = at->values->find(key);
      if (found != at->values->end()) return &found->second;
    }
    return nullptr;
  }
  static void collect(const Snapshot* at, Values& into) {
    for (; at != nullptr; at = at->rest.get()) into.insert(at->values->begin(), at->values->end());
  }
};

// Generations of tasks that each set something would make an endless chain: it is merged now and then.
constexpr int longest_chain = 16;

class Context final : public detail::ContextBase {
 public:
  explicit Context(std::shared_ptr<const Snapshot> inherited = nullptr)
      : inherited_(std::move(inherited)) {}

  std::shared_ptr<detail::ContextBase> inherit() override {
    if (own_ == nullptr || own_->empty()) return std::make_shared<Context>(inherited_);
    if (frozen_ == nullptr) freeze();
    return std::make_shared<Context>(frozen_);
  }

  const std::any* find(std::string_view key) const {
    if (own_ != nullptr) {
      const auto found = own_->find(key);
      if (found != own_->end()) return &found->second;
    }
    return Snapshot::find(inherited_.get(), key);
  }

  // The task's own values, to be changed: what children have inherited stays as it was.
  Values& own() {
    if (own_ == nullptr) {
      own_ = std::make_shared<Values>();
    } else if (frozen_ != nullptr) {
      own_ = std::make_shared<Values>(*own_);
    }
    frozen_ = nullptr;
    return *own_;
  }
  const Values* own_or_null() const noexcept { return own_.get(); }

  Values all(bool include_parent) const {
    Values values = own_ == nullptr ? Values{} : *own_;
    if (include_parent) Snapshot::collect(inherited_.get(), values);
    return values;
  }

  void clear() noexcept {
    own_ = nullptr;
    frozen_ = nullptr;
    inherited_ = nullptr;
  }

 private:
  void freeze() {
    const int depth = inherited_ == nullptr ? 1 : inherited_->depth + 1;
    if (depth <= longest_chain) {
      frozen_ = std::make_shared<Snapshot>(Snapshot{own_, inherited_, depth});
    } else {
      frozen_ = std::make_shared<Snapshot>(
          Snapshot{std::make_shared<const Values>(all(true)), nullptr, 1});
    }
  }

  std::shared_ptr<Values> own_;
  std::shared_ptr<const Snapshot> inherited_;
  std::shared_ptr<const Snapshot> frozen_;  // own_ and inherited_, as children have it
};

detail::TaskControl& task_or_throw(const char* call) {
  detail::TaskControl* self = detail::current_task_control();
  if (self == nullptr) {
    throw NotInTaskError(std::string{call} + " outside a task: a context belongs to a task");
  }
  return *self;
}

const Context* context_of(const detail::TaskControl& task) noexcept {
  return static_cast<const Context*>(task.context.get());
}

Context& own_context_of(detail::TaskControl& task) {
  if (task.context == nullptr) task.context = std::make_shared<Context>();
  return static_cast<Context&>(*task.context);
}

}  // namespace

ContextTypeError::ContextTypeError(std::string_view key, const std::type_info& held,
                                   const std::type_info& asked)
    : message_("get_context: the value under '" + std::string{key} + "' has type " + held.name() +
               ", not " + asked.name() + "; ask for the type that was set") {}
ContextTypeError::~ContextTypeError() = default;

const std::any* detail::find_context(std::string_view key, const char* call) {
  const Context* context = context_of(task_or_throw(call));
  return context == nullptr ? nullptr : context->find(key);
}

std::optional<std::any> detail::own_context(std::string_view key) {
  const Context* context = context_of(task_or_throw("ContextVar::set"));
  if (context == nullptr || context->own_or_null() == nullptr) return std::nullopt;
  const auto found = context->own_or_null()->find(key);
  return found == context->own_or_null()->end() ? std::nullopt : std::optional{found->second};
}

void detail::restore_context(std::string_view key, std::optional<std::any> value) {
  if (value) {
    set_context(key, *std::move(value));
  } else {
    delete_context(key);
  }
}

void set_context(std::string_view key, std::any value) {
  own_context_of(task_or_throw("set_context"))
      .own()
      .insert_or_assign(std::string{key}, std::move(value));
}

bool has_context(std::string_view key) {
  return detail::find_context(key, "has_context") != nullptr;
}

void delete_context(std::string_view key) {
  Context& context = own_context_of(task_or_throw("delete_context"));
  if (context.own_or_null() == nullptr || !context.own_or_null()->contains(key)) return;
  Values& own = context.own();
  own.erase(own.find(key));
}

std::map<std::string, std::any> get_all_context(bool include_parent) {
  const Context* context = context_of(task_or_throw("get_all_context"));
  if (context == nullptr) return {};
  const Values values = context->all(include_parent);
  return {values.begin(), values.end()};
}

void clear_context() {
  detail::TaskControl& self = task_or_throw("clear_context");
  if (self.context != nullptr) own_context_of(self).clear();
}

}  // namespace asyncio
