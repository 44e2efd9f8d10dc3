// A server that answers each request with the path it asked for: libevent's, in a program of its
// own.
//
// usage: http_server SOCKET_PATH
#include <cstdlib>
#include <cstring>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/util.h>

namespace {

int listen_on(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) return -1;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return -1;
  return ::listen(fd, SOMAXCONN) == 0 ? fd : -1;
}

void answer(evhttp_request* request, void* /*unused*/) {
  evbuffer_add_printf(evhttp_request_get_output_buffer(request), "this is %s",
                      evhttp_request_get_uri(request));
  evhttp_send_reply(request, HTTP_OK, "OK", nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return EXIT_FAILURE;
  event_base* base = event_base_new();
  evhttp* server = evhttp_new(base);
  evhttp_set_gencb(server, answer, nullptr);
  if (evhttp_accept_socket(server, listen_on(argv[1])) != 0) return EXIT_FAILURE;
  return event_base_dispatch(base);
}
