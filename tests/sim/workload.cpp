// SPDX-License-Identifier: Apache-2.0
// What a Workload checks.
#include "workload.h"

#include <algorithm>
#include <utility>

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kBufferBytes = 3U << 20U;

bool is_given_up(const Status& status) {
  return status.code() == Code::cancelled || status.code() == Code::deadline_exceeded;
}

}  // namespace

Workload::Workload(std::uint64_t seed) : seed_(seed), random_(seed ^ 0x5eed), world_(WorldOptions::draw(seed)) {}

std::string Workload::Pending::describe() const {
  std::string text(memory->device.name());
  text += " at " + std::to_string(memory_lock.offset) + "+" + std::to_string(memory_lock.length);
  if (file != nullptr)
    text += " of " + file->path + " at " + std::to_string(file_lock.offset) + "+" + std::to_string(file_lock.length);
  text += ", kind " + std::to_string(static_cast<int>(kind)) + ", deadline " + std::to_string(deadline_ns) +
          ", reported " + std::to_string(report->at_ns);
  text += ", " + std::to_string(moves.size()) + " moves, " + report->status.to_string() + "\n";
  return text + (request ? request.explain() : report->explanation);
}

void Workload::fail(std::string problem) {
  if (result_.problem.empty()) result_.problem = "seed " + std::to_string(seed_) + ": " + std::move(problem);
}

WorkloadResult Workload::run(unsigned actions) {
  set_up();
  base::Random plan = random_.fork();
  world_.fate->set_plan(sim::FaultPlan::draw(plan, plan.chance(0.4) ? 3 : 1));
  for (unsigned i = 0; i < actions && result_.problem.empty(); ++i) {
    act();
    if (random_.chance(0.5)) world_.executor->run_for(random_.uniform(100'000));
    collect(i % 16 == 0);
  }
  world_.fate->set_plan({});
  if (quiesce()) verify();
  tear_down();
  if (result_.problem.empty()) check_after_power_cut();
  result_.trace = world_.fate->trace();
  for (std::size_t i = 0; i < sim::kFaults; ++i) {
    result_.faults[i] = world_.fate->struck(static_cast<sim::Fault>(i));
  }
  return result_;
}

void Workload::set_up() {
  keeps_pages_ = world_.context->settings().text("memory.registered_budget_bytes").value() != "0";
  for (int i = 0; i < 3; ++i) {
    auto file = std::make_unique<File>();
    file->path = "/file" + std::to_string(i);
    file->victim = i == 2;
    std::vector<std::byte> contents(4096 + random_.uniform(3U << 20U));
    for (std::byte& byte : contents) byte = static_cast<std::byte>(random_.next() >> 56U);
    throw_if_failed(world_.files->add(file->path, contents));
    file->model = file->durable = ModelBytes(std::move(contents));
    file->store =
        world_.context->open("sim://" + file->path, {.mode = file->victim ? OpenMode::read : OpenMode::write}).value();
    files_.push_back(std::move(file));
  }
  throw_if_failed(world_.files->add("/replaced", {}));
  for (const std::string& name : world_.context->device_names()) {
    for (const RegionKind kind : {RegionKind::device, RegionKind::pinned}) {
      const Device device = world_.context->device(name).value();
      auto memory =
          std::make_unique<Memory>(Memory{device, device.allocate(kBufferBytes, {.kind = kind}).value(), {}, {}, {}});
      std::fill_n(memory->buffer.data(), kBufferBytes, std::byte{0x5a});
      memory->model = ModelBytes(std::vector<std::byte>(kBufferBytes, std::byte{0x5a}));
      memory->streams.push_back(device.create_stream().value());
      memories_.push_back(std::move(memory));
    }
  }
}

void Workload::check_honest(const Status& status, std::string_view what) {
  switch (status.code()) {
    case Code::internal:
    case Code::invalid_argument:
    case Code::out_of_range:
    case Code::closed:
    case Code::stale:
    case Code::unsupported:
    case Code::corrupt:
      return fail(std::string(what) + " fails with what nobody caused: " + status.to_string());
    default:
      return;
  }
}

bool Workload::quarantine_empty() const { return world_.context->statistics().quarantined_bytes == 0; }

void Workload::collect(bool at_leisure) {
  const bool waiting = at_leisure && std::ranges::any_of(pending_, &Pending::settled);
  const bool released = waiting && quarantine_empty();
  for (std::size_t i = 0; i < pending_.size();) {
    Pending& pending = pending_[i];
    const bool done = pending.report->done;
    if (!done && world_.executor->clock().now_ns() > pending.late_ns())
      fail("a deadline passed without a report: " + pending.describe());
    if (!done && pending.passed) {
      const Result<bool> passed = pending.passed->finished();
      if (passed && *passed) fail("its stream went on before the request was done");
    }
    const bool quiet = done && (!pending.request || pending.request.quiet());
    if (quiet && !pending.settled) settle(pending);
    const bool lingers = pending.kind == Kind::write && is_given_up(pending.report->status);
    if (!quiet || (lingers && !(pending.settled && released))) {
      pending.settled = quiet;
      ++i;
      continue;
    }
    unlock(pending);
    if (i + 1 != pending_.size()) pending_[i] = std::move(pending_.back());
    pending_.pop_back();
  }
}

void Workload::unlock(Pending& pending) {
  if (pending.source != nullptr) {
    pending.source->locks.unlock(pending.source_lock);
  } else {
    pending.file->locks.unlock(pending.file_lock);
  }
  pending.memory->locks.unlock(pending.memory_lock);
}

void Workload::settle(Pending& pending) {
  const Status& status = pending.report->status;
  if (!status.ok()) ++result_.failed_requests;
  if (!status.ok() && !(pending.file != nullptr && pending.file->victim)) check_honest(status, "a request");
  if (pending.report->at_ns > pending.late_ns()) fail("reported long after its deadline: " + pending.describe());
  switch (pending.kind) {
    case Kind::read:
      return settle_read(pending, status);
    case Kind::write:
      return settle_write(pending, status);
    case Kind::copy:
      return settle_copy(pending, status);
  }
}

void Workload::settle_read(Pending& pending, const Status& status) {
  const std::vector<Failure> failures = pending.request ? pending.request.failures() : std::vector<Failure>();
  const bool parts_known = pending.request && !is_given_up(status);
  if (!status.ok() && parts_known && failures.empty()) fail("a read failed, but no part of it: " + status.to_string());
  for (const Move& move : pending.moves) {
    const Extent range{move.store_offset, move.bytes};
    const bool failed = std::ranges::any_of(failures, [&](const Failure& f) { return intersects(f.extent, range); });
    if (!status.ok() && (!parts_known || failed)) {
      pending.memory->model.forget(move.memory_offset, move.bytes);
      continue;
    }
    const std::span seen(pending.memory->buffer.data() + move.memory_offset, move.bytes);
    if (const auto wrong = pending.file->model.settle(move.store_offset, seen)) {
      fail("a read brings a wrong byte of " + pending.file->path + " at " + std::to_string(*wrong) + ", extent " +
           std::to_string(move.store_offset) + "+" + std::to_string(move.bytes) + "\n" + pending.describe());
    }
    pending.memory->model.set(move.memory_offset, seen);
  }
}

void Workload::settle_write(Pending& pending, const Status& status) {
  File& file = *pending.file;
  const std::vector<Failure> failures = pending.request ? pending.request.failures() : std::vector<Failure>();
  const bool parts_known = pending.request && !is_given_up(status);
  if (!status.ok() && parts_known && failures.empty()) fail("a write failed, but no part of it: " + status.to_string());
  file.doubtful = file.doubtful || (pending.durable && !status.ok());
  std::uint64_t at = 0;
  for (const Move& move : pending.moves) {
    const std::span data = std::span(pending.data).subspan(at, move.bytes);
    at += move.bytes;
    const Extent range{move.store_offset, move.bytes};
    const bool failed = std::ranges::any_of(failures, [&](const Failure& f) { return intersects(f.extent, range); });
    if (status.ok() || (parts_known && !failed)) {
      file.model.set(move.store_offset, data);
    } else {
      file.model.set_maybe(move.store_offset, data);
    }
    if (status.ok() && pending.durable) file.durable.set(move.store_offset, data);
  }
}

void Workload::settle_copy(Pending& pending, const Status& status) {
  const Move& move = pending.moves.front();
  if (!status.ok()) return pending.memory->model.forget(move.memory_offset, move.bytes);
  const std::span seen(pending.memory->buffer.data() + move.memory_offset, move.bytes);
  if (!std::ranges::equal(seen, pending.data)) fail("a copy brings wrong bytes: " + pending.describe());
  pending.memory->model.set(move.memory_offset, seen);
}

bool Workload::quiesce() {
  for (int i = 0; i < 2000 && !pending_.empty() && result_.problem.empty(); ++i) {
    world_.executor->run_for(10'000'000);
    collect(true);
  }
  if (!pending_.empty()) fail("requests that never end");
  for (int i = 0; i < 2000 && !quarantine_empty() && result_.problem.empty(); ++i) world_.executor->run_for(10'000'000);
  return result_.problem.empty();
}

void Workload::verify() {
  const Statistics statistics = world_.context->statistics();
  if (statistics.requests_outstanding != 0) fail("requests outstanding at the end");
  if (statistics.quarantined_bytes != 0) fail("slabs in quarantine at the end");
  if (!keeps_pages_ && world_.files->mappings() != 0) fail("file pages still lent at the end");
  for (const auto& memory : memories_) {
    const std::span seen(memory->buffer.data(), memory->buffer.size());
    if (const auto wrong = memory->model.mismatch(0, seen)) {
      fail("memory of " + std::string(memory->device.name()) + " changed at " + std::to_string(*wrong));
    }
  }
  for (const auto& file : files_) {
    const std::vector<std::byte> seen = world_.files->contents(file->path);
    if (file->victim) continue;
    if (seen.size() != file->model.size()) fail(file->path + " has another length");
    if (const auto wrong = file->model.settle(0, seen))
      fail(file->path + " holds a wrong byte at " + std::to_string(*wrong));
  }
}

void Workload::tear_down() {
  pending_.clear();
  for (const auto& memory : memories_) memory->streams.clear();
  memories_.clear();
  for (const auto& file : files_) file->store = Store();
  world_.stop();
  if (!result_.problem.empty()) return;
  const sim::Ledger& ledger = *world_.ledger;
  if (ledger.memory_bytes != 0) fail("device memory leaks: " + std::to_string(ledger.memory_bytes));
  if (ledger.registered_bytes != 0) fail("registered memory leaks: " + std::to_string(ledger.registered_bytes));
  if (ledger.streams != 0) fail("streams leak: " + std::to_string(ledger.streams));
  if (ledger.events != 0) fail("events leak: " + std::to_string(ledger.events));
  if (world_.files->open_files() != 0) fail("files stay open: " + std::to_string(world_.files->open_files()));
  if (world_.files->mappings() != 0) fail("mappings stay: " + std::to_string(world_.files->mappings()));
}

void Workload::check_after_power_cut() {
  sim::FaultPlan losses;
  losses[sim::Fault::lost_sector] = 0.3;
  losses[sim::Fault::torn_sector] = 0.3;
  world_.fate->set_plan(losses);
  world_.files->restore_power();
  for (const auto& file : files_) {
    if (file->victim || file->doubtful) continue;
    const std::vector<std::byte> left = world_.files->contents(file->path);
    if (left.size() != file->durable.size()) fail(file->path + " has another length after the power cut");
    if (const auto wrong = file->durable.mismatch(0, left)) {
      fail(file->path + " lost flushed bytes in the power cut, at " + std::to_string(*wrong));
    }
  }
}

}  // namespace gpuio::tests
