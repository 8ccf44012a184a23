// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/mem_store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/align.h"
#include "base/log.h"
#include "base/try.h"
#include "core/placement/placement.h"
#include "engine/mem/window.h"

namespace gpuio::mem {
namespace {

std::uint64_t system_page_bytes() {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

Result<std::shared_ptr<MemStore>> MemStore::create(spi::Executor& executor, std::string uri, OpenedMemory memory) {
  std::shared_ptr<MemStore> store(new MemStore(executor, std::move(uri), std::move(memory)));
  GPUIO_ASSIGN(store->window_, store->make_window());
  return store;
}

MemStore::MemStore(spi::Executor& executor, std::string uri, OpenedMemory memory)
    : uri_(std::move(uri)), memory_(std::move(memory)), mover_(executor), size_(memory_.size_bytes) {}

MemStore::~MemStore() {
  if (memory_.closed) memory_.closed();
}

Status MemStore::place(std::byte* base, std::uint64_t bytes) const {
  return core::placement::apply(core::PlacementSystem::process(), base, bytes, Placement::preferred(*memory_.numa_node),
                                -1);
}

Result<core::MappedFile> MemStore::mapped_file() const {
  core::MappedFile file;
  file.descriptor.reset(::fcntl(memory_.descriptor.get(), F_DUPFD_CLOEXEC, 0));
  if (!file.descriptor) return Status::from_errno(errno, "no descriptor left for a mapping").with("store", uri_);
  file.name = memory_.name;
  file.tier = memory_.tier;
  file.page_bytes = memory_.page_bytes;
  file.fixed_bytes = memory_.is_device ? memory_.size_bytes : 0;
  file.writable = memory_.can_grow;
  file.sharing = memory_.sharing;
  return file;
}

Result<std::shared_ptr<Window>> MemStore::make_window() {
  GPUIO_ASSIGN(core::MappedFile file, mapped_file());
  spi::MapRange range;
  range.access = memory_.writable ? MapAccess::read_write : MapAccess::read;
  range.reserve_bytes = std::max(memory_.reserve_bytes, size());
  GPUIO_ASSIGN(std::unique_ptr<core::DescriptorMapping> mapping,
               core::DescriptorMapping::create(std::move(file), range));
  std::byte* const base = mapping->base();
  // Of the memory, not of this mapping: it holds for whoever touches a page first. Either is a wish.
  if (memory_.huge_transparent) ::madvise(base, mapping->size(), MADV_HUGEPAGE);
  if (memory_.numa_node) {
    const Status bound = place(base, mapping->size());
    if (!bound.ok()) GPUIO_LOG(warn, "mem", uri_ + " is where the kernel put it: " + bound.to_string());
  }
  return std::make_shared<Window>(std::move(mapping), memory_.sharing.coherent);
}

Result<std::shared_ptr<Window>> MemStore::window() {
  const std::lock_guard lock(mutex_);
  if (!window_->mapping().was_hit()) return window_;
  GPUIO_ASSIGN(window_, make_window());
  return window_;
}

Result<Residency> MemStore::residency(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t size_bytes = size();
  if (offset > size_bytes || length > size_bytes - offset) {
    return Status(Code::out_of_range, "the range is outside the store").with("offset", offset).with("length", length);
  }
  return Residency{length, length};
}

spi::Plan MemStore::plan(spi::RunKind, std::uint64_t offset, std::uint64_t length, CacheUse) {
  spi::Plan plan;
  plan.resident = true;
  plan.lendable = memory_.lendable;
  plan.length = std::max(length, size() - std::min(size(), offset));
  plan.reason = memory_.sharing.coherent ? "memory" : "memory that hosts share without coherent caches";
  if (plan.lendable) plan.medium = "shared memory";
  return plan;
}

Status MemStore::grow_to(std::uint64_t end) {
  const std::lock_guard lock(mutex_);
  if (end <= size()) return {};
  if (!memory_.can_grow) {
    return Status(Code::no_space, "the memory has a fixed size").with("size", size()).with("needed", end);
  }
  const std::uint64_t whole = base::align_up(end, std::max<std::uint64_t>(memory_.page_bytes, 1));
  core::DescriptorMapping& mapping = window_->mapping();
  if (whole > mapping.size()) {
    const std::uint64_t before = mapping.size();
    Status grown = mapping.grow(whole);
    if (grown.code() == Code::out_of_range)
      return Status(Code::no_space, "no addresses left to grow into: reserve=").with("store", uri_).with("needed", end);
    GPUIO_TRY(std::move(grown));
    if (memory_.numa_node) {
      const std::uint64_t first = base::align_down(before, system_page_bytes());
      static_cast<void>(place(mapping.base() + first, mapping.size() - first));
    }
  } else {
    GPUIO_TRY(core::lengthen_file(memory_.descriptor.get(), whole).with("store", uri_));
  }
  size_.store(whole, std::memory_order_relaxed);
  return {};
}

Status MemStore::prepare(const spi::Run& run) {
  std::uint64_t end = 0;
  for (const spi::Segment& segment : run.segments) end = std::max(end, segment.offset + segment.bytes);
  return run.kind == spi::RunKind::write ? grow_to(end) : Status();
}

void MemStore::start(spi::Run& run) {
  if (run.kind == spi::RunKind::flush) return run.finish();
  Status status = prepare(run);
  auto seen = window();
  if (status.ok() && !seen) status = seen.error();
  if (status.ok()) return mover_.start(run, *std::move(seen));
  for (std::uint32_t i = 0; i < run.segments.size(); ++i) run.failures.push_back({i, status});
  run.finish();
}

Status MemStore::read_now(const spi::Segment& segment) {
  GPUIO_ASSIGN(const std::shared_ptr<Window> seen, window());
  return core::MemoryMover::move_now(spi::RunKind::read, segment, *seen);
}

Result<spi::Loan> MemStore::lend(std::uint64_t offset, std::uint64_t length) {
  if (!memory_.lendable) return Status(Code::unsupported, "pages of dax devices are not registered with devices");
  const std::uint64_t page_bytes = std::max(memory_.page_bytes, system_page_bytes());
  const std::uint64_t begin = base::align_down(offset, page_bytes);
  const std::uint64_t bytes = base::align_up(offset + length, page_bytes) - begin;
  void* const base = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, memory_.descriptor.get(), static_cast<off_t>(begin));
  if (base == MAP_FAILED) return Status::from_errno(errno, "can't map the memory").with("store", uri_);
  auto* const first = static_cast<std::byte*>(base);
  return spi::Loan{first + (offset - begin), first, bytes};
}

void MemStore::take_back(const spi::Loan& loan) { ::munmap(loan.base, loan.base_bytes); }

Status MemStore::check_lent(std::uint64_t offset, std::uint64_t length) {
  GPUIO_ASSIGN(const std::shared_ptr<Window> seen, window());
  return seen->check(offset + length);
}

Result<std::unique_ptr<spi::Mapping>> MemStore::map(const spi::MapRange& range) {
  if (range.access == MapAccess::read_write && !memory_.writable) {
    return Status(Code::permission_denied, "the store was opened for reading").with("store", uri_);
  }
  GPUIO_ASSIGN(core::MappedFile file, mapped_file());
  // The Region that gets the mapping holds this store too.
  file.lengthened = [this](std::uint64_t size_bytes) { static_cast<void>(grow_to(size_bytes)); };
  GPUIO_ASSIGN(std::unique_ptr<core::DescriptorMapping> mapping,
               core::DescriptorMapping::create(std::move(file), range));
  return std::unique_ptr<spi::Mapping>(std::move(mapping));
}

Status MemStore::truncate(std::uint64_t size_bytes) {
  if (!memory_.writable) return Status(Code::permission_denied, "the store was opened for reading").with("store", uri_);
  if (!memory_.can_grow) return Status(Code::unsupported, "the memory has a fixed size").with("store", uri_);
  if (memory_.page_bytes != 0 && size_bytes % memory_.page_bytes != 0) {
    return Status(Code::invalid_argument, "not a multiple of the huge pages'").with("page_bytes", memory_.page_bytes);
  }
  if (size_bytes > size()) return grow_to(size_bytes);
  const std::lock_guard lock(mutex_);
  if (::ftruncate(memory_.descriptor.get(), static_cast<off_t>(size_bytes)) != 0) {
    return Status::from_errno(errno, "can't cut the memory").with("store", uri_).with("size", size_bytes);
  }
  size_.store(size_bytes, std::memory_order_relaxed);
  return {};
}

}  // namespace gpuio::mem
