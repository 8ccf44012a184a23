// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/spi/engine.h"

namespace gpuio::core {

/// A store that only lends: each loan is a fresh page-aligned copy of its bytes, freed when taken back. Keeps books of
/// what is out. Thread-safe.
class FakeStore final : public spi::Store {
 public:
  static constexpr std::uint64_t kPageBytes = 4096;

  FakeStore(std::string uri, std::uint64_t size, std::uint64_t identity)
      : identity_value(identity), uri_(std::move(uri)), bytes_(size) {
    for (std::uint64_t i = 0; i < size; ++i) bytes_[i] = byte_at(i);
  }
  ~FakeStore() override {
    for (std::byte* base : out_) std::free(base);
  }

  /// What stands at an offset of every fake store.
  static std::byte byte_at(std::uint64_t offset) {
    return static_cast<std::byte>((offset * 0x9e3779b97f4a7c15ULL) >> 56U);
  }

  std::atomic<std::uint64_t> identity_value;
  std::atomic<std::uint64_t> lendable_bytes_max{~0ULL};  ///< Longer ranges are refused, as if not all were resident.

  [[nodiscard]] std::size_t loans_out() const {
    const std::lock_guard lock(mutex_);
    return out_.size();
  }
  [[nodiscard]] std::size_t mistakes() const { return mistakes_; }

  const std::string& uri() const noexcept override { return uri_; }
  std::string_view engine() const noexcept override { return "fake"; }
  std::string_view tier() const noexcept override { return "dram"; }
  std::uint64_t size() const noexcept override { return bytes_.size(); }
  bool writable() const noexcept override { return false; }
  std::string explain() const override { return "fake"; }
  Result<Residency> residency(std::uint64_t, std::uint64_t) override { return none(); }
  spi::Plan plan(spi::RunKind, std::uint64_t, std::uint64_t, CacheUse) override { return {}; }
  void start(spi::Run& run) override { run.finish(); }
  void cancel(spi::Run&) override {}
  Status read_now(const spi::Segment&) override { return none(); }
  Status check_lent(std::uint64_t, std::uint64_t) override { return {}; }
  std::uint64_t identity() override { return identity_value; }
  Status flush() override { return none(); }
  Status commit() override { return none(); }
  Status truncate(std::uint64_t) override { return none(); }

  Result<spi::Loan> lend(std::uint64_t offset, std::uint64_t length) override {
    if (length > lendable_bytes_max) return Status(Code::unsupported, "not resident");
    const std::uint64_t start = offset / kPageBytes * kPageBytes;
    const std::uint64_t mapped = (offset + length - start + kPageBytes - 1) / kPageBytes * kPageBytes;
    auto* const base = static_cast<std::byte*>(std::aligned_alloc(kPageBytes, mapped));
    std::memcpy(base, bytes_.data() + start, std::min(mapped, bytes_.size() - start));
    const std::lock_guard lock(mutex_);
    out_.insert(base);
    return spi::Loan{base + (offset - start), base, mapped};
  }

  void take_back(const spi::Loan& loan) override {
    const std::lock_guard lock(mutex_);
    if (out_.erase(loan.base) == 0) {
      ++mistakes_;
      return;
    }
    std::free(loan.base);
  }

 private:
  static Status none() { return Status(Code::unsupported, "the fake only lends"); }

  const std::string uri_;
  std::vector<std::byte> bytes_;
  mutable std::mutex mutex_;
  std::set<std::byte*> out_;
  std::atomic<std::size_t> mistakes_{0};
};

}  // namespace gpuio::core
