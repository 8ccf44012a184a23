// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/spi/device.h"
#include "core/view/delegate.h"
#include "gpuio/atomics.hpp"

namespace gpuio::core {

/// What DelegatedAtomics own: the memory of a ring, and the server that the Context's executor drives.
class DelegateState {
 public:
  [[nodiscard]] static Result<std::shared_ptr<DelegateState>> create(const Context& context, const Device& caller,
                                                                     const Slice& words,
                                                                     const DelegateOptions& options);
  ~DelegateState();
  DelegateState(const DelegateState&) = delete;
  DelegateState& operator=(const DelegateState&) = delete;

  [[nodiscard]] const dev::DelegateRing& ring() const noexcept { return ring_; }
  [[nodiscard]] const DelegateServer& server() const noexcept { return *server_; }
  /// Whose kernels it is for.
  [[nodiscard]] const spi::Device& caller() const noexcept { return *caller_; }

 private:
  explicit DelegateState(const Context& context) : context_(context) {}
  [[nodiscard]] Status allocate(const Device& caller, const DelegateOptions& options);

  Context context_;  ///< Keeps the executor.
  std::shared_ptr<spi::Device> caller_;
  Buffer shared_;
  Buffer own_;
  Pin words_;
  dev::DelegateRing ring_;
  std::unique_ptr<DelegateServer> server_;
};

}  // namespace gpuio::core
