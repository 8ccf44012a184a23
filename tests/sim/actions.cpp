// SPDX-License-Identifier: Apache-2.0
// What a Workload does: draws a call, makes it, remembers what must come of it.
#include <algorithm>
#include <cstring>

#include "workload.h"

namespace gpuio::tests {
namespace {

void fill_random(base::Random& random, std::span<std::byte> memory) {
  for (std::size_t at = 0; at < memory.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.next();
    std::memcpy(memory.data() + at, &word, std::min(sizeof word, memory.size() - at));
  }
}

constexpr std::uint64_t kMaxBytes = 2U << 20U;
constexpr std::uint64_t kPiecesMax = 300;

/// The length of a piece of which at most so many make up `length`.
std::uint64_t draw_piece(base::Random& random, std::uint64_t length, std::uint64_t pieces_max) {
  return length / pieces_max + 1 + random.uniform(std::max<std::uint64_t>(length / 4, 1));
}

}  // namespace

void Workload::act() {
  switch (random_.uniform(24)) {
    case 0:
      return flush();
    case 1:
      return cancel_one();
    case 2:
      return drop_one();
    case 3:
      return disturb();
    case 4:
      return start_copy();
    case 5:
      return start_batch();
    case 6:
      return random_.chance(0.2) ? replace() : disturb();
    default:
      return start_transfer();
  }
}

Extent Workload::draw_range(std::uint64_t within) {
  constexpr std::uint64_t kSizes[] = {512, 8U << 10U, 8U << 10U, 128U << 10U, 128U << 10U, 512U << 10U, kMaxBytes};
  std::uint64_t length = 1 + random_.uniform(kSizes[random_.uniform(std::size(kSizes))]);
  const std::uint64_t alignment = random_.chance(0.5) ? 1 : random_.chance(0.5) ? 512 : 4096;
  if (random_.chance(0.5)) length = std::max((length / alignment) * alignment, alignment);
  length = std::min(length, within);
  std::uint64_t offset = random_.uniform(within - length + 1);
  offset -= offset % alignment;
  if (random_.chance(0.1)) offset = within - length;  // to the very end
  return {offset, length};
}

Workload::Drawn Workload::draw_layout(const Extent& range, bool distinct) {
  const std::uint64_t shape = random_.uniform(6);
  if (shape < 2) return {Layout::contiguous(range.offset, range.length), {range}};
  if (shape == 2) {
    const std::uint64_t block = std::min(draw_piece(random_, range.length, kPiecesMax), range.length);
    const std::uint64_t stride = block + random_.uniform(block + 100);
    const std::uint64_t count = 1 + (range.length - block) / stride;
    Drawn drawn{Layout::strided({range.offset, block, stride, count}), {}};
    for (std::uint64_t i = 0; i < count; ++i) drawn.extents.push_back({range.offset + i * stride, block});
    return drawn;
  }
  if (shape == 3) {
    const std::uint64_t row = std::min(draw_piece(random_, range.length, kPiecesMax), range.length);
    const std::uint64_t rows = range.length / row;
    Layout::Rows table{range.offset, row, 0, {}};
    for (std::uint64_t i = 0; i < rows; ++i) {
      if (random_.chance(0.3)) table.ids.push_back(distinct ? i : random_.uniform(rows));
    }
    if (table.ids.empty()) table.ids.push_back(0);
    Drawn drawn;
    for (const std::uint64_t id : table.ids) drawn.extents.push_back({range.offset + id * row, row});
    drawn.layout = Layout::rows(std::move(table));
    return drawn;
  }
  Drawn drawn;
  const std::uint64_t piece_max = 2 * draw_piece(random_, range.length, kPiecesMax);
  for (std::uint64_t at = range.offset; at < range.offset + range.length;) {
    const std::uint64_t length = std::min(1 + random_.uniform(piece_max), range.offset + range.length - at);
    drawn.extents.push_back({at, length});
    at += length + (random_.chance(0.5) ? 0 : random_.uniform(piece_max));
  }
  for (std::size_t i = drawn.extents.size(); shape == 4 && i > 1; --i) {
    std::swap(drawn.extents[i - 1], drawn.extents[random_.uniform(i)]);
  }
  drawn.layout = Layout::extents(drawn.extents);
  return drawn;
}

Workload::Drawn Workload::draw_placement(std::uint64_t bytes) {
  if (random_.chance(0.7)) return {Layout(), {{0, bytes}}};
  Drawn drawn;
  const std::uint64_t piece_max = draw_piece(random_, bytes, 20);
  std::uint64_t at = random_.uniform(100);
  for (std::uint64_t placed = 0; placed < bytes;) {
    const std::uint64_t length =
        std::min(std::max<std::uint64_t>(piece_max / 2, 1) + random_.uniform(piece_max), bytes - placed);
    drawn.extents.push_back({at, length});
    placed += length;
    at += length + random_.uniform(64);
  }
  drawn.layout = Layout::extents(drawn.extents);
  return drawn;
}

TransferOptions Workload::draw_options(Pending& pending) {
  TransferOptions options;
  options.priority = static_cast<Priority>(random_.uniform(3));
  options.cache = random_.chance(0.5) ? CacheUse::automatic : static_cast<CacheUse>(random_.uniform(3));
  options.unassisted = random_.chance(0.1);
  pending.durable = pending.kind == Kind::write && random_.chance(0.1);
  if (pending.durable) options.completion = Completion::durable;
  if (random_.chance(0.15)) {
    const std::uint64_t timeout_ns = random_.uniform(random_.chance(0.5) ? 100'000 : 50'000'000);
    options.timeout = Duration(timeout_ns);
    pending.deadline_ns = world_.executor->clock().now_ns() + timeout_ns;
  }
  if (random_.chance(0.15) && !pending.memory->streams.empty()) {
    options.stream = &pending.memory->streams[random_.uniform(pending.memory->streams.size())];
  }
  return options;
}

std::optional<Workload::Pending> Workload::draw_transfer(Kind kind, Slice& slice, Drawn& extents, Drawn& placement) {
  Pending pending;
  pending.kind = kind;
  pending.file = files_[random_.uniform(files_.size())].get();
  pending.memory = memories_[random_.uniform(memories_.size())].get();
  File& file = *pending.file;
  Memory& memory = *pending.memory;
  if (kind == Kind::write && file.victim) return std::nullopt;
  if (file.store.size() == 0) return std::nullopt;
  const std::uint64_t size = std::min(file.store.size(), file.model.size());
  const bool load = kind == Kind::read && random_.chance(0.1);  // all of it in one piece, as models are
  pending.file_lock = load ? Extent{0, size} : draw_range(size);
  extents = load ? Drawn{Layout(), {pending.file_lock}} : draw_layout(pending.file_lock, kind == Kind::write);
  const std::uint64_t bytes = total_bytes(extents.extents);
  placement = load ? Drawn{Layout(), {{0, bytes}}} : draw_placement(bytes);
  const std::uint64_t room = placement.extents.back().offset + placement.extents.back().length;
  if (room > memory.buffer.size()) return std::nullopt;
  std::uint64_t begin = random_.uniform(memory.buffer.size() - room + 1);
  if (random_.chance(0.5)) begin -= begin % 4096;
  pending.memory_lock = {begin, room};
  slice = memory.buffer.slice(begin, room).value();
  if (!file.locks.try_lock(pending.file_lock, kind == Kind::write)) return std::nullopt;
  if (!memory.locks.try_lock(pending.memory_lock, true)) {
    file.locks.unlock(pending.file_lock);
    return std::nullopt;
  }
  pending.moves = pair_up(extents.extents, placement.extents);
  for (Move& move : pending.moves) move.memory_offset += begin;
  if (kind == Kind::write) fill_source(pending);
  return pending;
}

void Workload::fill_source(Pending& pending) {
  pending.data.resize(0);
  std::byte* const base = pending.memory->buffer.data();
  for (const Move& move : pending.moves) {
    const std::span memory(base + move.memory_offset, move.bytes);
    fill_random(random_, memory);
    pending.memory->model.set(move.memory_offset, memory);
    pending.data.insert(pending.data.end(), memory.begin(), memory.end());
    pending.file->durable.set_maybe(move.store_offset, memory);
  }
}

void Workload::watch(Pending pending, Request request) {
  ++result_.requests;
  pending.report = std::make_shared<Report>();
  request.on_complete([report = pending.report, executor = world_.executor](const Status& status) {
    report->status = status;
    report->at_ns = executor->clock().now_ns();
    report->done = true;
  });
  pending.request = std::move(request);
  pending_.push_back(std::move(pending));
}

void Workload::give_up(Pending& pending, const Status& refusal) {
  check_honest(refusal, "a call");
  unlock(pending);
}

void Workload::start_transfer() {
  const Kind kind = random_.chance(0.4) ? Kind::write : Kind::read;
  Slice slice;
  Drawn extents;
  Drawn placement;
  std::optional<Pending> pending = draw_transfer(kind, slice, extents, placement);
  if (!pending) return;
  const TransferOptions options = draw_options(*pending);
  const Transfer transfer{pending->file->store, extents.layout, slice, placement.layout};
  Result<Request> request = kind == Kind::write ? world_.context->write(std::span(&transfer, 1), options)
                                                : world_.context->read(std::span(&transfer, 1), options);
  if (!request) return give_up(*pending, request.error());
  if (options.stream != nullptr) {
    if (Result<Event> event = options.stream->record(); event) pending->passed = *std::move(event);
  }
  watch(*std::move(pending), *std::move(request));
}

void Workload::start_batch() {
  Batch batch = world_.context->batch();
  std::vector<std::pair<Pending, Request>> started;
  for (std::uint64_t i = random_.uniform(24); i > 0; --i) {
    const Kind kind = random_.chance(0.3) ? Kind::write : Kind::read;
    Slice slice;
    Drawn extents;
    Drawn placement;
    std::optional<Pending> pending = draw_transfer(kind, slice, extents, placement);
    if (!pending) continue;
    if (!placement.layout.is_whole()) {
      unlock(*pending);
      continue;
    }
    const TransferOptions options = draw_options(*pending);
    Result<Request> request = kind == Kind::write ? batch.write(pending->file->store, extents.layout, slice, options)
                                                  : batch.read(pending->file->store, extents.layout, slice, options);
    if (!request) {
      give_up(*pending, request.error());
    } else {
      started.emplace_back(*std::move(pending), *std::move(request));
    }
  }
  const Status status = batch.submit();
  for (auto& [pending, request] : started) {
    if (status.ok()) {
      watch(std::move(pending), std::move(request));
    } else {
      give_up(pending, status);
    }
  }
}

void Workload::start_copy() {
  Pending pending;
  pending.kind = Kind::copy;
  pending.source = memories_[random_.uniform(memories_.size())].get();
  pending.memory = memories_[random_.uniform(memories_.size())].get();
  const std::uint64_t size = std::min(pending.source->buffer.size(), pending.memory->buffer.size());
  pending.source_lock = draw_range(size);
  pending.memory_lock = {random_.uniform(size - pending.source_lock.length + 1), pending.source_lock.length};
  if (!pending.source->locks.try_lock(pending.source_lock, false)) return;
  if (!pending.memory->locks.try_lock(pending.memory_lock, true))
    return pending.source->locks.unlock(pending.source_lock);
  const auto bytes = pending.source_lock.length;
  const std::byte* const from = pending.source->buffer.data() + pending.source_lock.offset;
  pending.data.assign(from, from + bytes);
  pending.moves.push_back({0, pending.memory_lock.offset, bytes});
  TransferOptions options = draw_options(pending);
  const bool any_on_host =
      pending.source->buffer.can(Ability::host_load_store) || pending.memory->buffer.can(Ability::host_load_store);
  options.unassisted = options.unassisted && any_on_host;  // else it is refused
  Result<Request> request =
      world_.context->copy(pending.source->buffer.slice(pending.source_lock.offset, bytes).value(),
                           pending.memory->buffer.slice(pending.memory_lock.offset, bytes).value(), options);
  if (!request) return give_up(pending, request.error());
  watch(std::move(pending), *std::move(request));
}

void Workload::flush() {
  File& file = *files_[random_.uniform(files_.size())];
  if (file.victim) return;
  collect(false);
  ModelBytes before = file.model;
  for (const Pending& pending : pending_) {
    if (pending.kind != Kind::write || pending.file != &file) continue;
    std::uint64_t at = 0;
    for (const Move& move : pending.moves) {
      before.set_maybe(move.store_offset, std::span(pending.data).subspan(at, move.bytes));
      at += move.bytes;
    }
  }
  const Status status = file.store.flush();
  if (status.ok()) {
    if (file.poisoned) return fail("a flush after a failed one reports ok");
    file.durable = std::move(before);
    return;
  }
  check_honest(status, "flush");
  if (file.poisoned && status.code() != Code::poisoned)
    fail("the second flush after a failed one: " + status.to_string());
  file.poisoned = file.doubtful = true;
}

void Workload::cancel_one() {
  if (pending_.empty()) return;
  const Request request = pending_[random_.uniform(pending_.size())].request;
  request.cancel();
  if (request && (!request.quiet() || !request.done())) fail("a cancelled request is not quiet");
}

void Workload::drop_one() {
  if (pending_.empty()) return;
  Pending& pending = pending_[random_.uniform(pending_.size())];
  pending.report->explanation = "dropped; before: " + pending.request.explain();
  pending.request = Request();
  if (!pending.report->done) fail("the last handle went, and the request did not end");
}

void Workload::disturb() {
  File& file = *files_[random_.uniform(files_.size())];
  switch (random_.uniform(4)) {
    case 0:
      return world_.files->set_resident(file.path, random_.chance(0.5));
    case 1:
      if (file.victim) world_.files->cut(file.path, random_.uniform(world_.files->contents(file.path).size() + 1));
      return;
    default:
      return world_.executor->run_for(random_.uniform(random_.chance(0.9) ? 200'000 : 50'000'000));
  }
}

void Workload::replace() {
  const std::string path = "/replaced";
  std::vector<std::byte> old = world_.files->contents(path);
  Result<Store> store = world_.context->open("sim://" + path, {.mode = OpenMode::replace, .size_bytes = 0});
  if (!store) return check_honest(store.error(), "open");
  Memory& memory = *memories_[random_.uniform(memories_.size())];
  const Extent range = draw_range(memory.buffer.size());
  if (!memory.locks.try_lock(range, true)) return;
  std::vector<std::byte> fresh(range.length);
  fill_random(random_, fresh);
  std::ranges::copy(fresh, memory.buffer.data() + range.offset);
  memory.model.set(range.offset, fresh);
  Status status;
  {
    Result<Request> request = world_.context->write(*store, memory.buffer.slice(range.offset, range.length).value());
    status = request ? request->wait() : request.error();
    if (request && !request->quiet()) request->cancel();
  }
  if (status.ok()) status = store->commit();
  memory.locks.unlock(range);
  const std::vector<std::byte> now = world_.files->contents(path);
  if (status.ok() ? now != fresh : now != old && now != fresh) fail("replace left a mixture: " + status.to_string());
  if (!status.ok()) check_honest(status, "replace");
}

}  // namespace gpuio::tests
