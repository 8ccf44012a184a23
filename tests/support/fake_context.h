// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "assembly/parts.h"
#include "core/context_state.h"
#include "gpuio/gpuio.hpp"
#include "support/fake_engine.h"

namespace gpuio::tests {

/// A Context with the fake engine beside all others. The engine belongs to the Context.
struct FakeContext {
  Context context;
  FakeEngine* engine;
};

inline FakeContext make_fake_context(const std::map<std::string, std::string>& settings = {},
                                     Drive drive = Drive::threads) {
  ContextOptions options{Settings(), drive};
  for (const auto& [key, value] : settings) {
    const Status status = options.settings.set(key, value);
    if (!status.ok()) throw Error(status);
  }
  core::Parts parts = assembly::parts();
  FakeEngine* engine = nullptr;
  parts.engines.push_back([&engine](const spi::EngineHost&) {
    auto made = std::make_unique<FakeEngine>();
    engine = made.get();
    return made;
  });
  Context context = core::ContextState::create(options, std::move(parts)).value();
  return {std::move(context), engine};
}

}  // namespace gpuio::tests
