// Making backends, and what happens when that fails (case L37).
//
// What is registered stays for the rest of the process, so whatever registers runs in a process of
// its own, as a death test that does not die.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/few_descriptors.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

std::string backend_under_test() {
  const char* name = std::getenv("ASYNCIO_BACKEND");
  return name == nullptr || *name == '\0' ? available_backends().front() : name;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// A backend that cannot be made.
BackendInfo broken(std::string name, int rank) {
  return {std::move(name), rank, []() -> std::unique_ptr<EventLoopInterface> {
            throw std::runtime_error("no such luck");
          }};
}

/// Runs main on whatever "auto" is, prints which, and ends the process.
[[noreturn]] void run_and_tell() {
  asyncio::run([] {
    SocketPair pair;
    pair.write(1, "x");
    wait_readable(pair.a());
    std::fprintf(stderr, "ran on %s\n", std::string{get_event_loop().backend().type()}.c_str());
  });
  std::exit(0);
}

const auto exited_well = testing::ExitedWithCode(0);

class CreationConformance : public LoopTest {};
using CreationConformanceDeathTest = CreationConformance;

TEST_F(CreationConformance, L37_AutoTakesTheOneTheEnvironmentNames) {
  EXPECT_EQ(backend_under_test(), make_backend()->type());
  EXPECT_EQ(backend_under_test(), make_backend("auto")->type());
  EXPECT_EQ(backend_under_test(), make_backend("")->type());
  EXPECT_EQ(backend_under_test(), loop().backend().type());
}

TEST_F(CreationConformance, L37_ANameGivenInCodeWinsOverTheEnvironment) {
  for (const std::string& name : available_backends()) {
    EXPECT_EQ(name, make_backend(name)->type());
    EXPECT_EQ(name, asyncio::run([] { return std::string{get_event_loop().backend().type()}; },
                                 RunOptions{.backend = name}));
  }
}

TEST_F(CreationConformance, L37_AnUnknownNameIsAnErrorListingThoseCompiledIn) {
  for (const char* unknown : {"kqueue", "EV", "ev ", "none"}) {
    const std::string message = message_of<BackendError>([&] { make_backend(unknown); });
    EXPECT_TRUE(contains(message, std::string{"'"} + unknown + "'")) << message;
    for (const std::string& name : available_backends()) {
      EXPECT_TRUE(contains(message, name)) << message;
    }
  }
  EXPECT_THROW(asyncio::run([] {}, RunOptions{.backend = "kqueue"}), BackendError);
}

TEST_F(CreationConformance, L37_OutOfDescriptorsIsAnErrorThatLeavesNothingBehind) {
  const std::string name = backend_under_test();
  make_backend(name);  // whatever is opened once and kept
  const std::size_t before = open_descriptors();
  for (int left = 0; left < 3; ++left) {
    const FewDescriptors few{left};
    try {
      EventLoop meagre{make_backend(name)};
      // It found enough, then, and it works.
      EXPECT_EQ(7, meagre.run([] {
        sleep(1us);
        return 7;
      }));
    } catch (const BackendError& error) {
      EXPECT_TRUE(contains(error.what(), name)) << error.what();
    }
  }
  EXPECT_EQ(before, open_descriptors());
  EXPECT_EQ(7, run([] { return 7; }));
}

TEST_F(CreationConformance, L37_WithFewDescriptorsNoSecondRateMechanismIsTaken) {
  const std::string name = backend_under_test();
  make_backend(name);
  for (int left = 0; left < 4; ++left) {
    std::unique_ptr<EventLoop> meagre;
    try {
      const FewDescriptors few{left};
      meagre = std::make_unique<EventLoop>(make_backend(name));
    } catch (const BackendError&) {
      continue;
    }
    // With descriptors again, it must be as good as any: one closed without notice, for a start.
    meagre->run([&] {
      SocketPair pair;
      auto lost = create_task([fd = pair.a()] { wait_readable(fd); });
      yield();
      pair.close_silently(0);
      SocketPair other;
      other.write(1, "x");
      wait_readable(other.a());
      lost.cancel();
      EXPECT_ANY_THROW(await(lost));
    });
  }
}

TEST_F(CreationConformanceDeathTest, L37_AutoFallsToTheNextOneAndSaysSo) {
  EXPECT_EXIT(
      {
        ::unsetenv("ASYNCIO_BACKEND");
        const std::string best = available_backends().front();
        register_backend(broken("shiny", 1001));
        register_backend(broken("shinier", 1002));
        if (available_backends()[0] != "shinier") std::exit(1);
        if (available_backends()[1] != "shiny") std::exit(2);
        if (make_backend()->type() != best) std::exit(3);
        run_and_tell();
      },
      exited_well, "asyncio: using backend '.*'shinier'.*no such luck.*'shiny'.*\n.*ran on ");
}

TEST_F(CreationConformanceDeathTest, L37_ANamedOneThatCannotBeMadeIsAnErrorWithoutFallback) {
  EXPECT_EXIT(
      {
        register_backend(broken("shiny", 1001));
        const auto check = [](int number, const std::string& message) {
          if (contains(message, "'shiny'") && contains(message, "no such luck")) return;
          std::fprintf(stderr, "%s\n", message.c_str());
          std::exit(number);
        };
        check(1, message_of<BackendError>([] { make_backend("shiny"); }));
        ::setenv("ASYNCIO_BACKEND", "shiny", 1);
        check(2, message_of<BackendError>([] { make_backend("auto"); }));
        check(3, message_of<BackendError>([] { asyncio::run([] {}); }));
        std::exit(0);
      },
      exited_well, "");
}

TEST_F(CreationConformanceDeathTest, L37_AFactoryThatGivesNothingHasFailed) {
  EXPECT_EXIT(
      {
        ::unsetenv("ASYNCIO_BACKEND");
        register_backend({"empty", 1001, [] { return std::unique_ptr<EventLoopInterface>{}; }});
        if (!contains(message_of<BackendError>([] { make_backend("empty"); }), "'empty'"))
          std::exit(1);
        run_and_tell();
      },
      exited_well, "'empty'.*\n.*ran on ");
}

TEST_F(CreationConformanceDeathTest, L37_AThirdPartysBackendIsChosenByItsRank) {
  EXPECT_EXIT(
      {
        ::unsetenv("ASYNCIO_BACKEND");
        const std::string worst = available_backends().back();
        // Under a name of its own, it is that one.
        register_backend({"third", 1001, [worst] { return make_backend(worst); }});
        if (available_backends().front() != "third") std::exit(1);
        if (make_backend()->type() != worst) std::exit(2);
        std::exit(0);
      },
      exited_well, "");
}

TEST_F(CreationConformanceDeathTest, L37_AnEnvironmentThatNamesAnUnknownOneIsAnError) {
  EXPECT_EXIT(
      {
        ::setenv("ASYNCIO_BACKEND", "kqueue", 1);
        const std::string message = message_of<BackendError>([] { asyncio::run([] {}); });
        std::fprintf(stderr, "%s\n", message.c_str());
        std::exit(contains(message, "ASYNCIO_BACKEND") ? 0 : 1);
      },
      exited_well, "kqueue");
}

TEST_F(CreationConformance, EventLoopOverNothingIsRefused) {
  EXPECT_THROW(EventLoop{std::unique_ptr<EventLoopInterface>{}}, std::invalid_argument);
}

}  // namespace
}  // namespace asyncio::test
