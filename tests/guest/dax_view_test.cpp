// SPDX-License-Identifier: Apache-2.0
// Loads, stores and atomics through Views of CXL memory: `cxl:///dev/dax0.0`.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "gpuio/context.hpp"
#include "gpuio/map.hpp"
#include "gpuio/view.hpp"
#include "guest/environment.h"

namespace gpuio::guest {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBytes = 1U << 20U;
constexpr std::uint64_t kElements = 1'000;

class DaxView : public testing::Test {
 protected:
  Context context_ = Context::create().value();
  Store store_ = context_.open(text_of("GPUIO_GUEST_MEMORY"), {.mode = OpenMode::write}).value();
  Buffer mapped_ = context_.map(store_, {.access = MapAccess::read_write}).value();
  Pin pin_ = mapped_.slice(0, kBytes).value().pin().value();
  View<std::uint64_t> words_ = view<std::uint64_t>(pin_).value();
};

TEST_F(DaxView, LoadsAndStoresAreWhatTransfersRead) {
  for (std::uint64_t i = 0; i < kElements; ++i) words_.store(i, i * i);
  words_.release(0, kElements);
  const Buffer read = context_.device("host").value().allocate(kElements * sizeof(std::uint64_t)).value();
  throw_if_failed(context_.read(store_, Layout::contiguous(0, read.size()), read).value().wait(300s));
  for (std::uint64_t i = 0; i < kElements; ++i) {
    std::uint64_t seen = 0;
    std::memcpy(&seen, read.data() + i * sizeof seen, sizeof seen);
    ASSERT_EQ(seen, i * i);
    ASSERT_EQ(words_.load(i), i * i);
  }
}

TEST_F(DaxView, AtomicsAreLegalAmongTheHostsProcessesAndSaidSo) {
  const Capability capability = Slice(mapped_).atomics(Processor::host, dev::Scope::host, 64);
  EXPECT_TRUE(capability.available) << capability.reason;
}

TEST_F(DaxView, ThreadsAddToOneWordWithoutLosingAny) {
  constexpr std::uint64_t kAdds = 5'000;
  words_.store(0, 0);
  const auto add = [this] {
    for (std::uint64_t i = 0; i < kAdds; ++i) words_.atomic<dev::Scope::host>(0).fetch_add(1);
  };
  std::jthread other(add);
  add();
  other.join();
  EXPECT_EQ(words_.load(0), 2 * kAdds);
}

}  // namespace
}  // namespace gpuio::guest
