// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "harness/sample.h"

namespace gpuio::bench {

using Arguments = std::vector<std::string>;

/// A program found on PATH, run with pipes at its standard input and output; its errors go to ours. The destructor
/// closes its input, which asks it to end, and waits.
class Child {
 public:
  explicit Child(const Arguments& arguments);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void write_line(std::string_view line);
  /// Throws at the end of its output.
  [[nodiscard]] std::string read_line();
  [[nodiscard]] std::string read_all();
  /// Waits for its end and throws unless it was a success.
  void finish();

 private:
  using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  std::string name_;
  pid_t pid_ = -1;
  File in_{nullptr, nullptr};
  File out_{nullptr, nullptr};
};

/// Runs a program to its end and returns what it printed; throws unless it succeeds.
std::string run_program(const Arguments& arguments);

/// A peer in a process of its own, so that its libraries and ours never meet. It reads a line a sample, takes it, and
/// answers with a line of JSON: {"seconds", "cpu_seconds", "bytes", "operations"} or {"error"}.
class Peer {
 public:
  explicit Peer(const Arguments& arguments) : child_(arguments) {}

  /// Throws std::runtime_error where the peer reports an error.
  [[nodiscard]] Sample sample(std::string_view request);

 private:
  Child child_;
};

}  // namespace gpuio::bench
