// A folder of the test's own.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

#include <stdlib.h>

#include <asyncio/io/all.h>

namespace asyncio::test {

class TemporaryFolder {
 public:
  TemporaryFolder() : path_("/tmp/asyncio-test-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp");
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  Endpoint endpoint(const std::string& name = "socket") const {
    return Endpoint::unix_path(file(name));
  }

 private:
  std::string path_;
};

}  // namespace asyncio::test
