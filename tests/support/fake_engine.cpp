// SPDX-License-Identifier: Apache-2.0
#include "support/fake_engine.h"

#include <cstring>

namespace gpuio::tests {

FakeStore::FakeStore(std::string uri, const Behaviour& behaviour) : uri_(std::move(uri)), behaviour_(behaviour) {
  if (!behaviour.copies_bytes) return;
  bytes_.resize(behaviour.size_bytes);
  std::uint64_t state = 88172645463325252ULL;
  for (std::byte& byte : bytes_) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<std::byte>(state >> 56U);
  }
}

void FakeStore::hold() {
  const std::lock_guard lock(mutex_);
  holding_ = true;
}

void FakeStore::release() {
  std::deque<spi::Run*> runs;
  {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    runs.swap(held_);
  }
  for (spi::Run* run : runs) serve(*run);
}

std::size_t FakeStore::held() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

void FakeStore::set_script(std::function<Status(const spi::Run&, const spi::Segment&)> script) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
}

std::vector<std::size_t> FakeStore::segments_per_run() const {
  const std::lock_guard lock(mutex_);
  return segments_per_run_;
}

spi::Plan FakeStore::plan(spi::RunKind, std::uint64_t, std::uint64_t length, CacheUse cache) {
  spi::Plan plan;
  plan.way = cache == CacheUse::cached ? spi::Way::cached : behaviour_.way;
  if (plan.way == spi::Way::direct) plan.offset_alignment = plan.memory_alignment = behaviour_.alignment;
  plan.resident = plan.way == spi::Way::cached;
  plan.lendable = behaviour_.lendable;
  plan.length = length;
  plan.reason = "as the test says";
  return plan;
}

void FakeStore::start(spi::Run& run) {
  if (!behaviour_.copies_bytes) return run.finish();
  {
    const std::lock_guard lock(mutex_);
    segments_per_run_.push_back(run.segments.size());
    if (holding_) {
      held_.push_back(&run);
      return;
    }
  }
  serve(run);
}

void FakeStore::serve(spi::Run& run) {
  std::function<Status(const spi::Run&, const spi::Segment&)> script;
  {
    const std::lock_guard lock(mutex_);
    script = script_;
  }
  for (std::uint32_t i = 0; i < run.segments.size(); ++i) {
    const spi::Segment& segment = run.segments[i];
    Status status = script ? script(run, segment) : Status();
    const bool aligned = run.way != spi::Way::direct ||
                         (segment.offset % behaviour_.alignment == 0 && segment.bytes % behaviour_.alignment == 0 &&
                          reinterpret_cast<std::uintptr_t>(segment.memory) % behaviour_.alignment == 0);
    if (!aligned) status = Status(Code::internal, "a direct segment is not aligned");
    if (!status.ok()) {
      run.failures.push_back({i, std::move(status)});
      continue;
    }
    std::byte* at = bytes_.data() + segment.offset;
    const std::uint64_t there = std::min<std::uint64_t>(segment.bytes, bytes_.size() - segment.offset);
    if (run.kind == spi::RunKind::read) {
      std::memcpy(segment.memory, at, there);
    } else {
      std::memcpy(at, segment.memory, there);
    }
  }
  run.finish();
}

void FakeStore::cancel(spi::Run&) {}

Status FakeStore::read_now(const spi::Segment& segment) {
  if (!behaviour_.readable_now) return Status(Code::would_block, "not now").with_retryable(true);
  std::memcpy(segment.memory, bytes_.data() + segment.offset, segment.bytes);
  return {};
}

Result<spi::Loan> FakeStore::lend(std::uint64_t, std::uint64_t) {
  return Status(Code::unsupported, "has no pages of its own");
}

Status FakeStore::flush() {
  ++flushes;
  if (fail_flush) return Status::from_errno(EIO, "flush failed").with_data_loss(true);
  return {};
}

std::shared_ptr<FakeStore> FakeEngine::add(const std::string& name, const FakeStore::Behaviour& behaviour) {
  auto store = std::make_shared<FakeStore>("fake://" + name, behaviour);
  const std::lock_guard lock(mutex_);
  stores_.push_back(store);
  return store;
}

Result<std::shared_ptr<spi::Store>> FakeEngine::open(const spi::Uri& uri, const OpenOptions&) {
  const std::lock_guard lock(mutex_);
  for (const auto& store : stores_) {
    if (store->uri() == uri.text) return std::shared_ptr<spi::Store>(store);
  }
  return Status(Code::not_found, "no such fake store").with("uri", uri.text);
}

}  // namespace gpuio::tests
