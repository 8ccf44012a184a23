// SPDX-License-Identifier: Apache-2.0
#include "engine/local/local_store.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "base/align.h"
#include "base/try.h"
#include "core/mapping/descriptor_mapping.h"
#include "engine/local/local_engine.h"

namespace gpuio::local {

LocalStore::LocalStore(LocalEngine& engine, std::string uri, OpenedFile opened)
    : engine_(engine),
      uri_(std::move(uri)),
      file_(std::move(opened.path), opened.buffered, opened.direct, opened.attributes),
      residency_(engine.files(), opened.buffered),
      no_direct_(std::move(opened.no_direct)),
      direct_use_(opened.direct_use),
      writable_(opened.writable),
      target_(std::move(opened.target)) {}

LocalStore::~LocalStore() {
  for (const spi::FileHandle handle : {file_.direct(), file_.buffered()}) {
    if (handle >= 0) engine_.close(handle, queued_);
  }
  // Dropped without a commit: the old contents stay, the new ones go. A failure leaves a file aside, harming nobody.
  if (!target_.empty()) static_cast<void>(engine_.files().remove(file_.path()));
}

std::string_view LocalStore::engine() const noexcept { return engine_.name(); }

std::string LocalStore::explain() const {
  if (in_memory()) return fmt::format("pool threads; {}: always in memory", file_.attributes().file_system);
  const DirectAlignment& alignment = file_.alignment();
  const std::string direct = alignment.usable()   ? fmt::format("O_DIRECT aligned to {}", alignment.offset())
                             : no_direct_.empty() ? std::string("no O_DIRECT: rejected in use")
                                                  : fmt::format("no O_DIRECT: {}", no_direct_);
  return fmt::format("{}; {}; {}", engine_.queue_text(), direct, file_.attributes().file_system);
}

std::string_view LocalStore::way_name(spi::Way way) const noexcept {
  return way == spi::Way::cached ? "page cache" : engine_.queue_mover().name(way == spi::Way::direct);
}

Result<Residency> LocalStore::residency(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t size_bytes = size();
  if (offset > size_bytes || length > size_bytes - offset) {
    return Status(Code::out_of_range, "the range is outside the store").with("offset", offset).with("length", length);
  }
  if (in_memory()) return Residency{length, length};
  const std::optional<std::uint64_t> bytes = engine_.files().resident(file_.buffered(), offset, length);
  if (!bytes) {
    return Status(Code::unsupported, "the kernel does not say what of this file is in memory").with("store", uri_);
  }
  return Residency{*bytes, length};
}

void LocalStore::start(spi::Run& run) {
  if (run.kind != spi::RunKind::flush && run.way == spi::Way::cached) return engine_.pool_mover().start(run, file_);
  queued_ = true;
  engine_.start_queued(run, file_);
}

void LocalStore::cancel(spi::Run& run) { engine_.cancel(run); }

Status LocalStore::read_now(const spi::Segment& segment) {
  spi::FileSystem& files = engine_.files();
  const bool may_block = in_memory();
  std::uint32_t got = 0;
  while (got < segment.required) {
    if (!may_block && !no_wait_.load(std::memory_order_relaxed)) break;
    const std::int64_t result =
        files.read(file_.buffered(), segment.offset + got, {segment.memory + got, segment.bytes - got}, !may_block);
    if (result == -EINTR) continue;
    if (result == -EOPNOTSUPP) no_wait_.store(false, std::memory_order_relaxed);
    // The end of the store and errors are for a run to report: it tells more about them.
    if (result <= 0) break;
    got += static_cast<std::uint32_t>(result);
  }
  if (got >= segment.required) return {};
  return Status(Code::would_block, "not in memory");
}

Result<spi::Loan> LocalStore::lend(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t begin = base::align_down<std::uint64_t>(offset, DirectAlignment::kPageBytes);
  const std::uint64_t end = base::align_up<std::uint64_t>(offset + length, DirectAlignment::kPageBytes);
  GPUIO_ASSIGN(std::byte * base, engine_.files().map(file_.buffered(), begin, end - begin));
  return spi::Loan{base + (offset - begin), base, end - begin};
}

void LocalStore::take_back(const spi::Loan& loan) { engine_.files().unmap(loan.base, loan.base_bytes); }

Status LocalStore::check_lent(std::uint64_t offset, std::uint64_t length) {
  GPUIO_ASSIGN(const spi::FileAttributes now, engine_.files().attributes(file_.buffered()));
  if (offset + length <= now.size_bytes) return {};
  return Status(Code::end_of_file, "the store was cut while its pages were read")
      .with("store", file_.path())
      .with("offset", offset)
      .with("length", length)
      .with("size", now.size_bytes);
}

Result<std::unique_ptr<spi::Mapping>> LocalStore::map(const spi::MapRange& range) {
  core::MappedFile mapped;
  GPUIO_ASSIGN(mapped.descriptor, engine_.files().duplicate(file_.buffered()));
  if (range.access == MapAccess::read_write && !writable_) {
    return Status(Code::permission_denied, "the store was opened for reading").with("store", file_.path());
  }
  mapped.name = file_.path();
  mapped.tier = tier();
  mapped.writable = writable_ && file_.attributes().is_regular;
  // The mapping keeps this store: a Region holds both.
  mapped.lengthened = [this](std::uint64_t size_bytes) { file_.grow_to(size_bytes); };
  GPUIO_ASSIGN(std::unique_ptr<core::DescriptorMapping> mapping,
               core::DescriptorMapping::create(std::move(mapped), range));
  return std::unique_ptr<spi::Mapping>(std::move(mapping));
}

std::uint64_t LocalStore::identity() {
  const Result<spi::FileAttributes> now = engine_.files().attributes(file_.buffered());
  return now ? (*now).version : 0;
}

Status LocalStore::flush() {
  GPUIO_TRY(file_.healthy());
  if (!writable_) return {};
  int result = -EINTR;
  while (result == -EINTR) result = engine_.files().flush(file_.buffered());
  if (result == 0) return {};
  const Status cause = Status::from_errno(-result, "flush failed").with("store", file_.path());
  file_.poison(cause);
  return cause;
}

Status LocalStore::commit() {
  const std::lock_guard lock(commit_mutex_);
  GPUIO_TRY(flush());
  if (target_.empty()) return {};
  GPUIO_TRY(engine_.files().rename(file_.path(), target_));
  target_.clear();
  return {};
}

Status LocalStore::truncate(std::uint64_t size_bytes) {
  if (!writable_) {
    return Status(Code::permission_denied, "the store was opened for reading").with("store", file_.path());
  }
  GPUIO_TRY(file_.healthy());
  const int result = engine_.files().truncate(file_.buffered(), size_bytes);
  if (result != 0) {
    return Status::from_errno(-result, "can't change the length").with("store", file_.path()).with("size", size_bytes);
  }
  file_.set_size(size_bytes);
  return {};
}

}  // namespace gpuio::local
