#include <asyncio/io/exit_status.h>

#include <cstring>

namespace asyncio {

std::string ExitStatus::to_string() const {
  if (signo_ == 0) return "exited with " + std::to_string(code_);
  const char* const name = ::sigdescr_np(signo_);
  return "ended by signal " + std::to_string(signo_) +
         (name == nullptr ? "" : " (" + std::string{name} + ")") +
         (dumped_core_ ? ", and dumped core" : "");
}

}  // namespace asyncio
