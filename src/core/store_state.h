// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "core/spi/engine.h"

namespace gpuio::core {

/// An open store of a Context: the engine's Store and what the core keeps beside it. Holds its engine's Context parts,
/// so that a Store handle that outlives the Context's own use of it closes in the right order. On cache lines of its
/// own: each Request counts itself beside it, on other cores.
class alignas(64) StoreState {
 public:
  StoreState(std::shared_ptr<spi::Store> store, std::shared_ptr<spi::Engine> engine, std::uint16_t tier_id)
      : engine_(std::move(engine)), store_(std::move(store)), tier_id_(tier_id) {}

  [[nodiscard]] spi::Store& store() const noexcept { return *store_; }
  [[nodiscard]] const std::shared_ptr<spi::Store>& pointer() const noexcept { return store_; }
  [[nodiscard]] std::uint16_t tier_id() const noexcept { return tier_id_; }

 private:
  std::shared_ptr<spi::Engine> engine_;  // before store_: outlives it
  std::shared_ptr<spi::Store> store_;
  std::uint16_t tier_id_;
};

}  // namespace gpuio::core
