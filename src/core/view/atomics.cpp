// SPDX-License-Identifier: Apache-2.0
#include "core/view/atomics.h"

#include <string>

namespace gpuio::core {
namespace {

constexpr unsigned kBitsPerByte = 8;

Capability check_words(const Resolved& memory, unsigned bits) {
  if (bits != 32 && bits != 64)
    return {false, "atomic operations are on 32 and 64 bits, not on " + std::to_string(bits)};
  const unsigned bytes = bits / kBitsPerByte;
  if (memory.bytes < bytes) return {false, "the Slice is smaller than a word"};
  if (reinterpret_cast<std::uintptr_t>(memory.address) % bytes != 0) {
    return {false, "misaligned: the Slice begins at no multiple of " + std::to_string(bytes) + " bytes"};
  }
  return {true, ""};
}

/// Whether all in the scope reach the memory, and see it alike.
Capability check_scope(const Region& region, dev::Scope scope) {
  const Sharing sharing = region.sharing();
  if (scope == dev::Scope::host && sharing.reach == Reach::process) {
    return {false, "no other process reaches this memory; if one does, say so to Device::wrap (WrapOptions::sharing)"};
  }
  if (scope == dev::Scope::pool && sharing.reach != Reach::pool) {
    return {false, "no other machine reaches this memory: it is no pool's"};
  }
  if (scope == dev::Scope::pool && !sharing.coherent) {
    return {false, "caches are not kept coherent between the pool's machines: let one own the words and ask it"};
  }
  return {true, ""};
}

Capability check_device(const Region& region, dev::Scope scope) {
  Capability at_all = region.can(Ability::device_atomics);
  if (!at_all || scope == dev::Scope::device) return at_all;
  if (!region.memory_is_host()) return {true, "host code does not reach it; other GPUs over NVLink alone"};
  const Capability native = region.device().capability(Ability::host_native_atomics);
  return native ? native : Capability{false, native.reason + ": use DelegatedAtomics, or Scope::device"};
}

}  // namespace

Capability atomics_on(const Resolved& memory, const AtomicsAsked& asked) {
  const Region& region = *memory.region;
  if (Capability words = check_words(memory, asked.bits); !words) return words;
  if (Capability scope = check_scope(region, asked.scope); !scope) return scope;
  return asked.by == Processor::host ? region.can(Ability::host_atomics) : check_device(region, asked.scope);
}

}  // namespace gpuio::core
