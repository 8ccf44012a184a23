// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gpuio/gpuio.hpp"

namespace gpuio::tests {

/// A transfer of a kind that takes its own way, between a file that has no zero byte and memory of the GPU.
struct Kind {
  std::string name;
  bool writes = false;
  bool on_disk = false;  ///< On a real file system; else in memory (tmpfs).
  CacheUse cache = CacheUse::automatic;
  Layout extents;
};

/// Every kind there is, each of its own bytes.
[[nodiscard]] std::vector<Kind> kinds();

/// One Kind, ready to be started: what it needs is opened and allocated.
class Transferring {
 public:
  Transferring(const Context& context, const Device& device, const Kind& kind);
  ~Transferring();
  Transferring(const Transferring&) = delete;
  Transferring& operator=(const Transferring&) = delete;

  void start(const Context& context, TransferOptions options);
  [[nodiscard]] const Request& request() const noexcept { return request_; }
  [[nodiscard]] const std::string& name() const noexcept { return kind_.name; }

  /// The last byte of every part of the destination: zero until it has come. None where the GPU's memory is the source.
  void append_awaited(std::vector<const std::byte*>& awaited) const;

  /// What is wrong with the outcome, else nothing. Once the Request is done and nothing waits.
  [[nodiscard]] std::string check() const;

 private:
  Kind kind_;
  std::filesystem::path path_;
  Store store_;
  Buffer buffer_;
  Request request_;
};

}  // namespace gpuio::tests
