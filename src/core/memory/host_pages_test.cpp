// SPDX-License-Identifier: Apache-2.0
#include "core/memory/host_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "core/placement/numa.h"

namespace gpuio::core {
namespace {

TEST(HostPages, LargeRangesAreTouchedToTheLastPageByAllThreads) {
  const auto page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t bytes = (std::size_t{100} << 20U) + 3 * page_bytes;  // Several pieces and a rest.
  const HostPages pages = HostPages::map(bytes, numa::nearest(-1)).value();
  std::vector<unsigned char> resident(bytes / page_bytes);
  ASSERT_EQ(mincore(pages.base(), bytes, resident.data()), 0);
  EXPECT_EQ(std::ranges::count_if(resident, [](unsigned char page) { return (page & 1U) == 0; }), 0);
}

}  // namespace
}  // namespace gpuio::core
