// libevent's HTTP server in the base whose guests we are: its handlers start tasks that answer.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <asyncio/asyncio.h>
#include <asyncio/backends/libevent.h>
#include <asyncio/tests/foreign/http_client.h>
#include <asyncio/tests/support/neighbours.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

constexpr int requests = 10'000;
constexpr int connections = 50;

std::string path_of(int index) { return "/number/" + std::to_string(index); }
std::string answer_to(const std::string& path) { return "this is " + path; }

std::uint16_t port_of(evhttp_bound_socket* socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(evhttp_bound_socket_get_fd(socket), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

/// Asks over several connections at once; how many answers were right.
int ask_for_everything(std::uint16_t port) {
  std::deque<HttpClient> clients;
  for (int i = 0; i < connections; ++i) clients.emplace_back(port);
  int right = 0;
  for (int first = 0; first < requests; first += connections) {
    int index = first;
    for (const HttpClient& client : clients) client.ask_for(path_of(index++));
    index = first;
    for (HttpClient& client : clients) {
      if (client.answer() == answer_to(path_of(index++))) ++right;
    }
  }
  return right;
}

/// What the host's handler starts.
void answer(evhttp_request* request) {
  auto body = create_task([request] {
    sleep(1ms);
    return answer_to(evhttp_request_get_uri(request));
  });
  const std::string text = await(body);
  evbuffer_add(evhttp_request_get_output_buffer(request), text.data(), text.size());
  // A client may be gone by now; libevent keeps the request until it is answered all the same.
  evhttp_send_reply(request, HTTP_OK, "OK", nullptr);
}

void on_request(evhttp_request* request, void* loop) {
  static_cast<EventLoop*>(loop)->create_task([request] { answer(request); });
}

TEST(EvhttpTest, TasksOfItsHandlersAnswerTenThousandRequests) {
  event_base* host = event_base_new();
  evhttp* server = evhttp_new(host);
  evhttp_bound_socket* socket = evhttp_bind_socket_with_handle(server, "127.0.0.1", 0);
  ASSERT_NE(nullptr, socket);
  {
    EventLoop loop{attach(host)};
    Neighbours neighbours{loop};
    evhttp_set_gencb(server, on_request, &loop);
    int right = 0;
    std::thread client{[&, port = port_of(socket), handle = loop.handle()] {
      right = ask_for_everything(port);
      handle.post([&] {
        neighbours.stop();
        evhttp_free(server);
      });
    }};

    event_base_dispatch(host);
    client.join();
    EXPECT_EQ(requests, right);
    neighbours.expect_progress();
    loop.shutdown();
  }
  event_base_free(host);
}

}  // namespace
}  // namespace asyncio::test
