// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "base/align.h"
#include "base/try.h"
#include "core/device_state.h"
#include "core/spi/kernels.h"
#include "core/view/atomics.h"
#include "core/view/delegate_state.h"
#include "gpuio/atomics.hpp"
#include "gpuio/dev/atomics.h"

namespace gpuio {
namespace {

Status bad(std::string_view field, std::string_view why) {
  return Status(Code::invalid_argument, "UpdateLaunch::" + std::string(field) + ": " + std::string(why));
}

/// An array of a Launch, as kernels are going to use it.
struct ArrayCheck {
  const spi::Device& device;

  /// Null Pins are fine where a field may be left out.
  Status operator()(const Pin* pin, std::string_view field, std::uint64_t bytes, std::uint64_t alignment,
                    MapAccess access = MapAccess::read) const {
    if (pin == nullptr) return {};
    if (!*pin) return bad(field, "needs a Pin (Slice::pin)");
    if (pin->size() < bytes) return bad(field, "too small").with("needed", bytes).with("size", pin->size());
    if (reinterpret_cast<std::uintptr_t>(pin->data()) % alignment != 0) return bad(field, "not aligned to its type");
    return core::RegionPin::of(*pin)->region().check_kernels_reach(device, access).with("argument", field);
  }
};

Status check_owner(const UpdateLaunch& update, const spi::Device& device) {
  if (update.delegate != nullptr) {
    if (update.words != nullptr) return bad("words", "the delegate has them");
    if (update.delegate->state() == nullptr) return bad("delegate", "moved from");
    if (&update.delegate->state()->caller() != &device) return bad("delegate", "made for kernels of another device");
    return {};
  }
  core::RegionPin* const hold = update.words != nullptr ? core::RegionPin::of(*update.words) : nullptr;
  if (hold == nullptr) return bad("words", "needs a Pin (Slice::pin), or a delegate");
  GPUIO_TRY(hold->region().check_kernels_reach(device, MapAccess::read_write).with("argument", "words"));
  const core::Resolved words{hold->region().shared_from_this(), update.words->data(), update.words->size()};
  const Capability can = core::atomics_on(words, {Processor::device, update.scope, 8 * dev::bytes_of(update.type)});
  return can ? Status() : Status(Code::unsupported, "UpdateLaunch::words: " + can.reason);
}

std::byte* data_of(const Pin* pin) { return pin != nullptr ? pin->data() : nullptr; }

Result<spi::WordsArguments> check(const UpdateLaunch& update, const spi::Device& device) {
  const std::uint64_t word_bytes = dev::bytes_of(update.type);
  const std::uint32_t id_bytes = update.id_type == IdType::u32 ? 4 : 8;
  const auto id_size = base::checked_multiply<std::uint64_t>(update.count, id_bytes);
  const auto size = base::checked_multiply(update.count, word_bytes);
  if (!id_size || !size) return bad("count", "overflows 64 bits");
  if (!dev::applies(update.op, update.type)) return bad("op", "does not apply to floating-point numbers");
  if (update.operands == nullptr) return bad("operands", "needs a Pin (Slice::pin)");
  if (update.status == nullptr) return bad("status", "needs a Pin (Slice::pin)");
  if ((update.expected != nullptr) != (update.op == AtomicOp::compare_exchange)) {
    return bad("expected", "goes with compare_exchange, and with nothing else");
  }
  const ArrayCheck check_array{device};
  GPUIO_TRY(check_array(update.ids, "ids", *id_size, id_bytes));
  GPUIO_TRY(check_array(update.operands, "operands", *size, word_bytes));
  GPUIO_TRY(check_array(update.expected, "expected", *size, word_bytes));
  GPUIO_TRY(check_array(update.old, "old", *size, word_bytes, MapAccess::read_write));
  GPUIO_TRY(check_array(update.status, "status", sizeof(std::uint32_t), sizeof(std::uint32_t), MapAccess::read_write));

  spi::WordsArguments arguments{};
  arguments.words = data_of(update.words);
  arguments.count = update.count;
  arguments.bytes = update.words != nullptr ? update.words->size() : update.delegate->ring().words_bytes;
  arguments.ids = data_of(update.ids);
  arguments.operands = data_of(update.operands);
  arguments.expected = data_of(update.expected);
  arguments.old = data_of(update.old);
  arguments.status = reinterpret_cast<std::uint32_t*>(update.status->data());
  if (update.delegate != nullptr) arguments.ring = update.delegate->ring();
  arguments.op = update.op;
  arguments.type = update.type;
  arguments.scope = update.scope;
  arguments.id_bytes = static_cast<std::uint8_t>(id_bytes);
  return arguments;
}

}  // namespace

Status launch_update(const Stream& stream, const UpdateLaunch& update) {
  if (stream.state() == nullptr) return Status(Code::closed, "the Stream is empty");
  spi::Device& device = stream.state()->device();
  GPUIO_TRY(check_owner(update, device));
  GPUIO_ASSIGN(const spi::WordsArguments arguments, check(update, device));
  if (update.count == 0) return {};
  return device.launch(stream.state()->handle(), spi::KernelId::update_words, &arguments);
}

}  // namespace gpuio
