#include <asyncio/core/backend_registry.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

#include <asyncio/core/detail/fork_mutex.h>
#include <asyncio/core/detail/immortal.h>
#include <asyncio/core/errors.h>

#include "backend_table.h"

namespace asyncio {

// The generated table, expanded twice: to declare each backend, and to list them.
namespace backends {
#define ASYNCIO_BACKEND(name) BackendInfo name();
ASYNCIO_BACKEND_TABLE
#undef ASYNCIO_BACKEND
}  // namespace backends

namespace {

struct Registry {
  Registry() {
#define ASYNCIO_BACKEND(name) insert(backends::name());
    ASYNCIO_BACKEND_TABLE
#undef ASYNCIO_BACKEND
  }
  detail::ForkMutex mutex;
  std::vector<BackendInfo> list;  // best first

  void insert(BackendInfo backend) {
    const auto place = std::find_if(list.begin(), list.end(), [&](const BackendInfo& other) {
      return other.rank < backend.rank;
    });
    list.insert(place, std::move(backend));
  }
};

constinit detail::Immortal<Registry> registry;

std::vector<BackendInfo> snapshot() {
  Registry& all = registry.get();
  const std::lock_guard lock{all.mutex};
  return all.list;
}

std::string names_of(const std::vector<BackendInfo>& backends) {
  std::string text;
  for (const BackendInfo& backend : backends) text += (text.empty() ? "" : ", ") + backend.name;
  return text;
}

std::unique_ptr<EventLoopInterface> make(const BackendInfo& backend) {
  auto made = backend.factory();
  if (made == nullptr) throw BackendError("its factory returned null");
  return made;
}

std::unique_ptr<EventLoopInterface> make_named(const std::string& name, const char* who_asked) {
  const std::vector<BackendInfo> backends = snapshot();
  const auto found = std::find_if(backends.begin(), backends.end(),
                                  [&](const BackendInfo& backend) { return backend.name == name; });
  if (found == backends.end()) {
    throw BackendError("backend '" + name + "' (" + who_asked +
                       ") is unknown or not compiled in; available: " + names_of(backends));
  }
  try {
    return make(*found);
  } catch (const std::exception& e) {
    throw BackendError("backend '" + name + "' (" + who_asked +
                       ") could not be created: " + e.what());
  }
}

std::unique_ptr<EventLoopInterface> make_best() {
  std::string reasons;
  for (const BackendInfo& backend : snapshot()) {
    try {
      auto made = make(backend);
      if (!reasons.empty()) {
        std::fprintf(stderr, "asyncio: using backend '%s', since%s\n", backend.name.c_str(),
                     reasons.c_str());
      }
      return made;
    } catch (const std::exception& e) {
      reasons += " '" + backend.name + "' could not be created (" + e.what() + ")";
    }
  }
  throw BackendError("no backend could be created:" + reasons);
}

}  // namespace

std::vector<std::string> available_backends() {
  std::vector<std::string> names;
  for (BackendInfo& backend : snapshot()) names.push_back(std::move(backend.name));
  return names;
}

std::unique_ptr<EventLoopInterface> make_backend(std::string_view name) {
  if (!name.empty() && name != "auto")
    return make_named(std::string{name}, "asked for by the caller");
  const char* environment = std::getenv("ASYNCIO_BACKEND");
  if (environment != nullptr && *environment != '\0' && std::string_view{environment} != "auto") {
    return make_named(environment, "asked for by the environment variable ASYNCIO_BACKEND");
  }
  constexpr std::string_view build_default = ASYNCIO_DEFAULT_BACKEND;
  if (build_default != "auto") return make_named(std::string{build_default}, "the build's default");
  return make_best();
}

void register_backend(BackendInfo backend) {
  if (backend.name.empty() || backend.name == "auto") {
    throw BackendError("register_backend: a backend needs a name of its own, not '" + backend.name +
                       "'");
  }
  if (!backend.factory) {
    throw BackendError("register_backend('" + backend.name + "'): the factory is empty");
  }
  Registry& all = registry.get();
  const std::lock_guard lock{all.mutex};
  for (const BackendInfo& other : all.list) {
    if (other.name == backend.name) {
      throw BackendError("register_backend('" + backend.name +
                         "'): a backend of that name exists already");
    }
  }
  all.insert(std::move(backend));
}

}  // namespace asyncio
