#include <asyncio/tests/foreign/curl_on_libev.h>

namespace asyncio::test {

CurlOnLibev::CurlOnLibev(struct ev_loop* host) : host_(host), multi_(curl_multi_init()) {
  ev_timer_init(&timer_, on_timer, 0., 0.);
  timer_.data = this;
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlOnLibev::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlOnLibev::on_timeout);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

CurlOnLibev::~CurlOnLibev() {
  curl_multi_cleanup(multi_);
  ev_timer_stop(host_, &timer_);
}

void CurlOnLibev::add(CURL* transfer) { curl_multi_add_handle(multi_, transfer); }

void CurlOnLibev::act(curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* transfer = message->easy_handle;
    const CURLcode result = message->data.result;
    curl_multi_remove_handle(multi_, transfer);  // which ends the message
    ended(transfer, result);
  }
}

int CurlOnLibev::on_socket(CURL* /*transfer*/, curl_socket_t fd, int what, void* self,
                           void* socket) {
  auto& curl = *static_cast<CurlOnLibev*>(self);
  auto* known = static_cast<Socket*>(socket);
  if (known != nullptr) ev_io_stop(curl.host_, &known->watcher);
  if (what == CURL_POLL_REMOVE) {
    delete known;
    return 0;
  }
  if (known == nullptr) {
    known = new Socket;
    ev_io_init(&known->watcher, on_ready, fd, EV_NONE);
    known->watcher.data = self;
    curl_multi_assign(curl.multi_, fd, known);
  }
  ev_io_set(
      &known->watcher, fd,
      ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) | ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));
  ev_io_start(curl.host_, &known->watcher);
  return 0;
}

int CurlOnLibev::on_timeout(CURLM* /*multi*/, long milliseconds, void* self) {
  auto& curl = *static_cast<CurlOnLibev*>(self);
  ev_timer_stop(curl.host_, &curl.timer_);
  if (milliseconds >= 0) {
    ev_timer_set(&curl.timer_, static_cast<double>(milliseconds) / 1000., 0.);
    ev_timer_start(curl.host_, &curl.timer_);
  }
  return 0;
}

void CurlOnLibev::on_ready(struct ev_loop* /*host*/, ev_io* watcher, int events) {
  static_cast<CurlOnLibev*>(watcher->data)
      ->act(watcher->fd, ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
                             ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

void CurlOnLibev::on_timer(struct ev_loop* /*host*/, ev_timer* timer, int /*events*/) {
  static_cast<CurlOnLibev*>(timer->data)->act(CURL_SOCKET_TIMEOUT, 0);
}

}  // namespace asyncio::test
