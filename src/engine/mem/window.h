// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "core/mapping/descriptor_mapping.h"
#include "core/memory/memory_mover.h"

namespace gpuio::mem {

/// All of a memory at addresses, for the copies of its store. Another takes its place once bytes of it were lost, so
/// that a copy that met zeros is not taken for one that met what came after them.
class Window final : public core::MemoryTarget {
 public:
  Window(std::unique_ptr<core::DescriptorMapping> mapping, bool coherent)
      : mapping_(std::move(mapping)), coherent_(coherent) {}

  [[nodiscard]] std::byte* address(std::uint64_t offset, std::uint64_t bytes) const noexcept override;
  void before_load(const std::byte* from, std::size_t bytes) const noexcept override;
  void after_store(const std::byte* to, std::size_t bytes) const noexcept override;
  [[nodiscard]] Status check(std::uint64_t end) const override;

  [[nodiscard]] core::DescriptorMapping& mapping() const noexcept { return *mapping_; }

 private:
  const std::unique_ptr<core::DescriptorMapping> mapping_;
  const bool coherent_;
};

}  // namespace gpuio::mem
