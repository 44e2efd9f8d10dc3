// libcurl's multi interface in an ev_loop, as a program that uses both has it.
#pragma once

#include <curl/curl.h>
#include <ev.h>

#include <functional>

namespace asyncio::test {

/// A multi handle whose sockets and timeout are watched in `host`.
class CurlOnLibev {
 public:
  explicit CurlOnLibev(struct ev_loop* host);
  /// Every transfer must have been taken out.
  ~CurlOnLibev();
  CurlOnLibev(const CurlOnLibev&) = delete;
  CurlOnLibev& operator=(const CurlOnLibev&) = delete;

  /// `ended` is called for each transfer, which is no longer in the multi handle then and may be
  /// added again.
  std::function<void(CURL* transfer, CURLcode result)> ended;

  void add(CURL* transfer);

 private:
  struct Socket {
    ev_io watcher;
  };

  void act(curl_socket_t fd, int events);
  static int on_socket(CURL* transfer, curl_socket_t fd, int what, void* self, void* socket);
  static int on_timeout(CURLM* multi, long milliseconds, void* self);
  static void on_ready(struct ev_loop* host, ev_io* watcher, int events);
  static void on_timer(struct ev_loop* host, ev_timer* timer, int events);

  struct ev_loop* host_;
  CURLM* multi_;
  ev_timer timer_;
};

}  // namespace asyncio::test
