// libcurl in the loop whose guests we are.
#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <asyncio/backends/libev.h>
#include <asyncio/tests/foreign/curl_on_libev.h>
#include <asyncio/tests/support/neighbours.h>

namespace asyncio::test {
namespace {

/// One transfer at a time, over a connection that is kept.
class Fetcher {
 public:
  Fetcher() : transfer_(curl_easy_init()) {
    curl_easy_setopt(transfer_, CURLOPT_UNIX_SOCKET_PATH, std::getenv("HTTP_SERVER"));
    curl_easy_setopt(transfer_, CURLOPT_WRITEFUNCTION, &Fetcher::on_data);
    curl_easy_setopt(transfer_, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(transfer_, CURLOPT_PRIVATE, this);
  }
  ~Fetcher() { curl_easy_cleanup(transfer_); }
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  static Fetcher& of(CURL* transfer) {
    Fetcher* self = nullptr;
    curl_easy_getinfo(transfer, CURLINFO_PRIVATE, &self);
    return *self;
  }

  CURL* ask_for(int index) {
    path_ = "/number/" + std::to_string(index);
    body_.clear();
    curl_easy_setopt(transfer_, CURLOPT_URL, ("http://localhost" + path_).c_str());
    return transfer_;
  }
  bool has_right_answer() const { return body_ == "this is " + path_; }

 private:
  static std::size_t on_data(char* bytes, std::size_t size, std::size_t count, void* self) {
    static_cast<Fetcher*>(self)->body_ += std::string_view{bytes, size * count};
    return size * count;
  }

  CURL* transfer_;
  std::string path_;
  std::string body_;
};

TEST(CurlTest, ItsTenThousandTransfersAndOurTasksShareTheLoop) {
  constexpr int transfers = 10'000;
  int asked = 0;
  int right = 0;
  struct ev_loop* host = ev_loop_new(EVFLAG_AUTO);
  {
    EventLoop loop{attach(host)};
    Neighbours neighbours{loop};
    std::deque<Fetcher> fetchers(50);
    CurlOnLibev curl{host};
    curl.ended = [&](CURL* transfer, CURLcode result) {
      Fetcher& fetcher = Fetcher::of(transfer);
      EXPECT_EQ(CURLE_OK, result) << curl_easy_strerror(result);
      if (fetcher.has_right_answer()) ++right;
      if (right == transfers) neighbours.stop();
      if (asked < transfers) curl.add(fetcher.ask_for(asked++));
    };
    for (Fetcher& fetcher : fetchers) curl.add(fetcher.ask_for(asked++));

    ev_run(host, 0);
    EXPECT_EQ(transfers, right);
    neighbours.expect_progress();
    loop.shutdown();
  }
  ev_loop_destroy(host);
}

}  // namespace
}  // namespace asyncio::test
