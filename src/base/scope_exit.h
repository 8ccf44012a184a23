// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

namespace gpuio::base {

/// Calls `function` when the scope ends, unless dismissed: for cleaning up after C interfaces.
template <class Function>
class [[nodiscard]] ScopeExit {
 public:
  explicit ScopeExit(Function function) noexcept : function_(std::move(function)) {}
  ScopeExit(const ScopeExit&) = delete;
  ScopeExit& operator=(const ScopeExit&) = delete;
  ~ScopeExit() {
    if (armed_) function_();
  }

  void dismiss() noexcept { armed_ = false; }

 private:
  Function function_;
  bool armed_ = true;
};

}  // namespace gpuio::base
