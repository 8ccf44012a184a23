// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/mem_engine.h"

#include <utility>

#include "base/try.h"
#include "engine/mem/mem_store.h"
#include "engine/mem/opened_memory.h"

namespace gpuio::mem {
namespace {

class MemEngine final : public spi::Engine {
 public:
  explicit MemEngine(spi::Executor& executor) : executor_(executor) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "mem"; }
  [[nodiscard]] std::vector<std::string_view> schemes() const override { return {"mem", "cxl"}; }

  [[nodiscard]] Result<std::shared_ptr<spi::Store>> open(const spi::Uri& uri, const OpenOptions& options) override {
    GPUIO_ASSIGN(OpenedMemory memory, uri.scheme == "mem" ? open_dram(uri, options) : open_dax(uri, options));
    GPUIO_ASSIGN(std::shared_ptr<MemStore> store, MemStore::create(executor_, uri.text, std::move(memory)));
    return std::shared_ptr<spi::Store>(std::move(store));
  }

  // Copies are the pool's: nothing is registered with anybody, and nothing is in flight between polls.
  void register_memory(std::byte* /*base*/, std::size_t /*bytes*/) override {}
  void unregister_memory(std::byte* /*base*/) override {}
  [[nodiscard]] std::vector<Finding> diagnose() override { return {}; }
  std::uint64_t poll(std::uint64_t /*now_ns*/) override { return spi::kNever; }

 private:
  spi::Executor& executor_;
};

}  // namespace

std::unique_ptr<spi::Engine> make_engine(const spi::EngineHost& host) {
  return std::make_unique<MemEngine>(host.executor);
}

}  // namespace gpuio::mem
