// SPDX-License-Identifier: Apache-2.0
// What tests/stores can't see from outside: descriptors, reservations, who may lengthen what.
#include "core/mapping/descriptor_mapping.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace gpuio::core {
namespace {

constexpr std::uint64_t kPage = 4096;

int make_file(std::uint64_t bytes) {
  const int file = ::memfd_create("gpuio-test", MFD_CLOEXEC);
  if (file < 0 || ::ftruncate(file, static_cast<off_t>(bytes)) != 0) std::abort();
  return file;
}

MappedFile mapped_file(int descriptor, bool writable = true) {
  MappedFile file;
  file.descriptor.reset(::dup(descriptor));
  file.name = "test";
  file.writable = writable;
  return file;
}

spi::MapRange range(std::uint64_t offset, std::uint64_t length, std::uint64_t reserve = 0,
                    MapAccess access = MapAccess::read_write) {
  return {offset, length, access, reserve};
}

/// True if the kernel has a mapping there.
bool is_mapped(const std::byte* address) {
  unsigned char resident = 0;
  return ::mincore(const_cast<std::byte*>(address), kPage, &resident) == 0;
}

TEST(DescriptorMapping, ReservedAddressesAreHeldAndGivenBack) {
  const base::UniqueFd file(make_file(4 * kPage));
  auto mapping = DescriptorMapping::create(mapped_file(file.get()), range(0, kPage, 8 * kPage)).value();
  const std::byte* const base = mapping->base();
  EXPECT_TRUE(is_mapped(base + 7 * kPage)) << "nobody else may map there";
  mapping.reset();
  EXPECT_FALSE(is_mapped(base));
  EXPECT_FALSE(is_mapped(base + 7 * kPage));
}

TEST(DescriptorMapping, ClosingTheStoresDescriptorLeavesTheMapping) {
  base::UniqueFd file(make_file(kPage));
  const auto mapping = DescriptorMapping::create(mapped_file(file.get()), range(0, 0)).value();
  file.reset();
  mapping->base()[0] = std::byte{5};
  EXPECT_TRUE(mapping->check().ok());
  EXPECT_EQ(mapping->file_bytes().value(), kPage);
}

TEST(DescriptorMapping, GrowingNeverCutsWhatAnotherAddedMeanwhile) {
  const base::UniqueFd file(make_file(kPage));
  const auto mapping = DescriptorMapping::create(mapped_file(file.get()), range(0, 0, 8 * kPage)).value();
  ASSERT_EQ(::ftruncate(file.get(), 6 * kPage), 0);
  ASSERT_EQ(::pwrite(file.get(), "x", 1, 5 * kPage), 1);
  ASSERT_TRUE(mapping->grow(3 * kPage).ok());
  EXPECT_EQ(mapping->file_bytes().value(), 6 * kPage);
  ASSERT_TRUE(mapping->grow(6 * kPage).ok());
  EXPECT_EQ(mapping->base()[5 * kPage], std::byte{'x'});
}

TEST(DescriptorMapping, LengtheningTellsItsStore) {
  const base::UniqueFd file(make_file(kPage));
  MappedFile described = mapped_file(file.get());
  std::uint64_t told = 0;
  described.lengthened = [&told](std::uint64_t size_bytes) { told = size_bytes; };
  const auto mapping = DescriptorMapping::create(std::move(described), range(100, 0, 8 * kPage)).value();
  ASSERT_TRUE(mapping->grow(2 * kPage).ok());
  EXPECT_EQ(told, 100 + 2 * kPage);
  EXPECT_EQ(mapping->size(), 2 * kPage);
}

TEST(DescriptorMapping, StoreThatMayNotBeLengthenedIsNot) {
  const base::UniqueFd file(make_file(kPage));
  const auto mapping = DescriptorMapping::create(mapped_file(file.get(), false), range(0, 0, 8 * kPage)).value();
  EXPECT_EQ(mapping->grow(2 * kPage).code(), Code::out_of_range);
  EXPECT_EQ(mapping->file_bytes().value(), kPage);
  EXPECT_EQ(mapping->size(), kPage);
  mapping->base()[kPage - 1] = std::byte{1};
}

TEST(DescriptorMapping, TailThatWasUnmappedMayBeCutFromTheStore) {
  const base::UniqueFd file(make_file(4 * kPage));
  const auto mapping = DescriptorMapping::create(mapped_file(file.get()), range(0, 0)).value();
  ASSERT_TRUE(mapping->unmap(2 * kPage, 2 * kPage).ok());
  ASSERT_EQ(::ftruncate(file.get(), 2 * kPage), 0);
  EXPECT_TRUE(mapping->check().ok());
  ASSERT_EQ(::ftruncate(file.get(), kPage), 0);
  EXPECT_EQ(mapping->check().code(), Code::end_of_file);
}

TEST(DescriptorMapping, BytesLostOnceStayLostThoughTheStoreIsLongAgain) {
  const base::UniqueFd file(make_file(2 * kPage));
  const auto mapping = DescriptorMapping::create(mapped_file(file.get()), range(0, 0)).value();
  ASSERT_EQ(::ftruncate(file.get(), 0), 0);
  mapping->base()[kPage] = std::byte{1};
  ASSERT_EQ(::ftruncate(file.get(), 2 * kPage), 0);
  EXPECT_EQ(mapping->check().code(), Code::io_error) << "what was stored there is nowhere";
  EXPECT_TRUE(mapping->check().data_loss());
}

TEST(DescriptorMapping, WhatCannotBeMappedIsAnErrorAndLeavesNothing) {
  const base::UniqueFd file(make_file(kPage));
  MappedFile reader = mapped_file(file.get());
  reader.descriptor.reset(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(DescriptorMapping::create(std::move(reader), range(0, 0)).error().code(), Code::permission_denied);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const base::UniqueFd first(ends[0]);
  const base::UniqueFd second(ends[1]);
  EXPECT_FALSE(DescriptorMapping::create(mapped_file(first.get()), range(0, kPage)));
}

TEST(DescriptorMapping, LargeMappingsStartWhereAHugePageCould) {
  const base::UniqueFd file(make_file(4U << 20U));
  const auto mapping = DescriptorMapping::create(mapped_file(file.get()), range(0, 0)).value();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mapping->base()) % (2U << 20U), 0U);
}

TEST(DescriptorMapping, SharedForReadingItsDescriptorAllowsNoMore) {
  const base::UniqueFd file(make_file(4 * kPage));
  const auto mapping = DescriptorMapping::create(mapped_file(file.get()), range(kPage, kPage)).value();
  const spi::SharedMemoryFile readable = mapping->share(100, MapAccess::read).value();
  EXPECT_EQ(readable.offset, kPage + 100);
  EXPECT_EQ(::fcntl(readable.descriptor.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  const spi::SharedMemoryFile writable = mapping->share(0, MapAccess::read_write).value();
  EXPECT_EQ(::fcntl(writable.descriptor.get(), F_GETFL) & O_ACCMODE, O_RDWR);
}

}  // namespace
}  // namespace gpuio::core
