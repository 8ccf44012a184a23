// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/spi/kernels.h"
#include "gpuio/dev/delegate.h"

/// Atomic operations on words by index: one lane an operation, by the device itself or by the owner of the words.
namespace gpuio::core {

/// False if the owner did not do it.
template <dev::Scope kScope, class T>
GPUIO_KERNEL_BODY bool update_word(const spi::WordsArguments& list, std::uint64_t i, std::uint64_t index) {
  const T operand = reinterpret_cast<const T*>(list.operands)[i];
  const T expected = list.expected != nullptr ? reinterpret_cast<const T*>(list.expected)[i] : T{};
  dev::DelegateResult result = dev::DelegateResult::done;
  T old{};
  if (list.words == nullptr) {
    old = dev::Delegate(list.ring).perform<T>(list.op, index, operand, expected, dev::Order::relaxed, &result);
  } else {
    T& word = reinterpret_cast<T*>(list.words)[index];
    old = dev::apply<kScope>(list.op, word, operand, expected, dev::Order::relaxed);
  }
  if (result != dev::DelegateResult::done) return false;
  if (list.old != nullptr) reinterpret_cast<T*>(list.old)[i] = old;
  return true;
}

template <dev::Scope kScope, class T, class Policy>
GPUIO_KERNEL_BODY void update_words_of(const Policy& policy, const spi::WordsArguments& list) {
  const std::uint64_t words = list.bytes / sizeof(T);
  const std::uint64_t turns = (list.count + Policy::kLanes - 1) / Policy::kLanes;
  policy.for_each(turns, [&](std::uint64_t turn) {
    const std::uint64_t i = turn * Policy::kLanes + policy.lane();
    if (i >= list.count) return;
    std::uint64_t index = i;
    if (list.ids != nullptr) {
      index = list.id_bytes == 4 ? static_cast<const std::uint32_t*>(list.ids)[i]
                                 : static_cast<const std::uint64_t*>(list.ids)[i];
    }
    if (index < words && update_word<kScope, T>(list, i, index)) return;
    // A u32 can't name positions from 2^32 - 1 on; 0 must keep its meaning.
    const std::uint64_t report = i < 0xfffffffeU ? i + 1 : 0xffffffffU;
    if (list.status != nullptr) policy.store_shared(list.status, static_cast<std::uint32_t>(report));
  });
}

template <dev::Scope kScope, class Policy>
GPUIO_KERNEL_BODY void update_words_in(const Policy& policy, const spi::WordsArguments& list) {
  switch (list.type) {
    case dev::ValueType::i32:
      return update_words_of<kScope, std::int32_t>(policy, list);
    case dev::ValueType::u32:
      return update_words_of<kScope, std::uint32_t>(policy, list);
    case dev::ValueType::i64:
      return update_words_of<kScope, std::int64_t>(policy, list);
    case dev::ValueType::u64:
      return update_words_of<kScope, std::uint64_t>(policy, list);
    case dev::ValueType::f32:
      return update_words_of<kScope, float>(policy, list);
    case dev::ValueType::f64:
      return update_words_of<kScope, double>(policy, list);
  }
}

template <class Policy>
GPUIO_KERNEL_BODY void update_words(const Policy& policy, const spi::WordsArguments& list) {
  if (list.scope == dev::Scope::device) {
    update_words_in<dev::Scope::device>(policy, list);
  } else {
    update_words_in<dev::Scope::process>(policy, list);
  }
}

}  // namespace gpuio::core
