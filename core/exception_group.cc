#include <asyncio/core/exception_group.h>

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <typeinfo>
#include <utility>

#include <nlohmann/json.hpp>

namespace asyncio {
namespace {

// A text that a group quotes is at most this long.  Without a limit a failure below n groups would
// be told n times, in n texts of which each holds the next.
constexpr std::size_t longest_text = 4096;

bool begins_character(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;  // of UTF-8
}

// The beginning and the end of a long text.  The end is where the innermost failure is named.
std::string shortened(std::string text) {
  if (text.size() <= longest_text) return text;
  static constexpr char gap[] = "\n  [...]\n";
  std::size_t head = longest_text / 2;
  std::size_t tail = text.size() - longest_text / 2 + sizeof gap;
  while (head != 0 && !begins_character(text[head])) --head;
  while (tail != text.size() && !begins_character(text[tail])) ++tail;
  return text.replace(head, tail - head, gap);
}

std::string with_lines(const std::string& message, const std::vector<std::exception_ptr>& list) {
  std::string text = message;
  for (const auto& exception : list) {
    text += "\n  - " + describe(exception);
    if (text.size() > 2 * longest_text) text = shortened(std::move(text));
  }
  return shortened(std::move(text));
}

// Lets go of exceptions one after the other, also where each holds the next: n groups within each
// other, destroyed by recursion, would be more than the stack of a task bears.
void release(std::vector<std::exception_ptr> exceptions) noexcept {
  constinit static thread_local std::vector<std::exception_ptr>* releasing = nullptr;
  if (releasing != nullptr) {
    try {
      releasing->insert(releasing->end(), exceptions.begin(), exceptions.end());
    } catch (const std::bad_alloc&) {  // then by recursion
    }
    return;
  }
  releasing = &exceptions;
  while (!exceptions.empty()) {
    const std::exception_ptr last = std::move(exceptions.back());
    exceptions.pop_back();
  }
  releasing = nullptr;
}

std::string type_of_current_exception() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown type";
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name{
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free};
  return status == 0 ? name.get() : type->name();
}

std::string summary(const std::vector<GatherException::Input>& inputs, const char* call) {
  std::size_t failed = 0;
  std::size_t cancelled = 0;
  std::size_t total = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].first_place != i) continue;
    ++total;
    if (inputs[i].cancelled) {
      ++cancelled;
    } else if (inputs[i].exception != nullptr) {
      ++failed;
    }
  }
  std::string text = std::string{call} + "() failed: " + std::to_string(failed) + " of " +
                     std::to_string(total) + " task(s) failed, " +
                     std::to_string(total - failed - cancelled) + " succeeded";
  if (cancelled != 0) text += ", " + std::to_string(cancelled) + " cancelled";
  return text;
}

std::vector<std::exception_ptr> in_order(const std::vector<GatherException::Input>& inputs,
                                         const std::vector<std::size_t>& order) {
  std::vector<std::exception_ptr> list;
  list.reserve(order.size());
  for (const std::size_t index : order) list.push_back(inputs[index].exception);
  return list;
}

// what() without the lines ExceptionGroup adds.
std::string first_line(const char* text) {
  const std::string whole = text;
  return whole.substr(0, whole.find('\n'));
}

}  // namespace

std::string describe(const std::exception_ptr& exception) {
  if (exception == nullptr) return "no exception";
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& e) {
    const char* const message = e.what();  // null, if somebody's class gets it wrong
    return type_of_current_exception() + ": " + (message == nullptr ? "no message" : message);
  } catch (...) {
    return "an exception of type " + type_of_current_exception();
  }
}

ExceptionGroup::ExceptionGroup(const std::string& message,
                               std::vector<std::exception_ptr> exceptions)
    : Error(with_lines(message, exceptions)), exceptions_(std::move(exceptions)) {}
ExceptionGroup::~ExceptionGroup() { release(std::move(exceptions_)); }

GatherException::GatherException(std::vector<Input> inputs, const std::vector<std::size_t>& order,
                                 const char* call)
    : ExceptionGroup(summary(inputs, call), in_order(inputs, order)) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Input& input = inputs[i];
    const bool counts = input.first_place == i;
    names_.push_back(std::move(input.task_name));
    was_cancelled_.push_back(input.cancelled);
    if (input.exception != nullptr) {
      exceptions_.emplace(i, input.exception);
      if (counts) ++(input.cancelled ? cancelled_ : failed_);
    } else {
      results_.emplace(i, std::move(input.result));
      if (counts) ++succeeded_;
    }
  }
  if (!order.empty()) first_ = exceptions_.at(order.front());
}
GatherException::~GatherException() = default;

std::exception_ptr GatherException::exception(std::size_t index) const {
  const auto found = exceptions_.find(index);
  return found == exceptions_.end() ? nullptr : found->second;
}

std::string GatherException::detailed_report() const {
  std::string text = first_line(what());
  for (std::size_t i = 0; i < names_.size(); ++i) {
    text += "\n  [" + std::to_string(i) + "] " + names_[i] + ": ";
    if (const std::exception_ptr why = exception(i); why == nullptr) {
      text += "succeeded";
    } else {
      text += (was_cancelled_[i] ? "cancelled: " : "failed: ") + describe(why);
    }
  }
  return text;
}

std::string GatherException::to_json() const {
  nlohmann::ordered_json report = {{"message", first_line(what())},
                                   {"failed", failed_},
                                   {"cancelled", cancelled_},
                                   {"succeeded", succeeded_},
                                   {"tasks", nlohmann::ordered_json::array()}};
  for (std::size_t i = 0; i < names_.size(); ++i) {
    nlohmann::ordered_json task = {{"index", i},
                                   {"name", names_[i]},
                                   {"state", has_failed(i)       ? "failed"
                                             : was_cancelled_[i] ? "cancelled"
                                                                 : "completed"},
                                   {"error", nullptr}};
    if (const std::exception_ptr why = exception(i)) task["error"] = describe(why);
    report["tasks"].push_back(std::move(task));
  }
  // A message may hold any bytes: what is not UTF-8 becomes U+FFFD.
  return report.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace asyncio
