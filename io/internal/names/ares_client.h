// Asking name servers by c-ares.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <ares.h>

#include <asyncio/concurrency/semaphore.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/io/internal/names/ares_sockets.h>
#include <asyncio/io/internal/names/dns_client.h>

namespace asyncio::detail {

/// One channel of c-ares.  Of the tasks that wait for an answer, one waits for the sockets and does
/// what there is to do for all; when it leaves, it wakes another, which goes on.
///
/// c-ares's callbacks only take notes and wake tasks.  They never run user code, suspend, or
/// destroy the channel, which would be destroyed under the call that is in it.
class AresClient final : public DnsClient, public std::enable_shared_from_this<AresClient> {
 public:
  /// Throws: IoError; std::bad_alloc.
  AresClient(const ResolverOptions& options, const char* call);
  ~AresClient() override;

  DnsAnswer look_up(lowlevel::CurrentTask self, const HostName& name, AddressFamily family,
                    const char* call, const News& news) override;
  void close() noexcept override;
  bool is_of_this_process() const noexcept override { return sockets_.is_of_this_process(); }
  void leave_to_parent() noexcept override;

 private:
  struct Lookup;
  struct Question;
  struct User;
  struct OfFamily;

  void learn_search_list(const ResolverOptions& options);
  std::vector<std::string> candidates(const HostName& name) const;

  /// The one that is in flight, or a new one.  May suspend.
  std::shared_ptr<Lookup> join_or_start(const HostName& name, AddressFamily family);
  void ask(const std::shared_ptr<Lookup>& lookup);
  static void answered(void* question, int status, int timeouts, ares_addrinfo* result) noexcept;
  void take(Question& question, int status, const ares_addrinfo* result);
  void end_candidate(const std::shared_ptr<Lookup>& lookup);
  void finish(Lookup& lookup) noexcept;

  [[noreturn]] void throw_closed(const char* call) const;

  /// Returns when there may be something new.
  void wait_for_news(lowlevel::CurrentTask self, Lookup& lookup, const char* call);
  void process() noexcept;
  void set_timer() noexcept;
  void hand_on() noexcept;
  /// Nobody waits for anything any more.
  void give_up() noexcept;

  AresSockets sockets_;
  Semaphore room_;
  std::unordered_map<std::string, std::shared_ptr<Lookup>> in_flight_;
  std::size_t users_ = 0;
  bool is_driven_ = false;
  bool is_closed_ = false;
  bool is_left_to_parent_ = false;
  std::size_t ndots_ = 1;
  std::vector<std::string> search_;
  ares_channel channel_ = nullptr;
};

}  // namespace asyncio::detail
