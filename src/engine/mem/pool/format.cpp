// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/pool/format.h"

#include <cstring>

#include "base/checksum.h"

namespace gpuio::pool {
namespace {

// Kinds make a line of one kind in the place of another a damaged one.
enum class Kind : std::uint64_t { claim = 0x6d696c63, beat = 0x74616562, slot = 0x746f6c73 };

std::uint64_t seal_of(const Line& line, Kind kind) noexcept {
  const auto bytes = std::as_bytes(std::span(line).first(kLineWords - 1));
  return base::crc32c(bytes) | static_cast<std::uint64_t>(kind) << 32;
}

Line sealed(Line line, Kind kind) noexcept {
  line.back() = seal_of(line, kind);
  return line;
}

}  // namespace

Line encode(const Claim& claim) noexcept {
  return sealed({claim.incarnation, claim.nonce, static_cast<std::uint64_t>(claim.state)}, Kind::claim);
}

Line encode(const Beat& beat) noexcept {
  return sealed({beat.incarnation, beat.count, beat.objects, beat.used_bytes, beat.chunks}, Kind::beat);
}

Line encode(const SlotHeader& header) noexcept {
  return sealed({slot_word(header.sequence, header.state), header.name_hash, header.offset, header.bytes,
                 header.incarnation, header.data_crc | std::uint64_t{header.name_bytes} << 32},
                Kind::slot);
}

bool decode(const Line& line, Claim& claim) noexcept {
  claim = {};
  if (line == Line{}) return true;
  if (line.back() != seal_of(line, Kind::claim)) return false;
  if (line[2] == 0 || line[2] > static_cast<std::uint64_t>(Claim::State::left_quarantine)) return false;
  claim = {.incarnation = line[0], .nonce = line[1], .state = static_cast<Claim::State>(line[2])};
  return true;
}

bool decode(const Line& line, Beat& beat) noexcept {
  beat = {};
  if (line == Line{}) return true;
  if (line.back() != seal_of(line, Kind::beat)) return false;
  beat = {.incarnation = line[0], .count = line[1], .objects = line[2], .used_bytes = line[3], .chunks = line[4]};
  return true;
}

bool decode(const Line& line, SlotHeader& header) noexcept {
  header = {};
  if ((line[0] & 0xff) > static_cast<std::uint64_t>(SlotState::published)) return false;
  header = {.sequence = line[0] >> 8,
            .state = static_cast<SlotState>(line[0] & 0xff),
            .name_hash = line[1],
            .offset = line[2],
            .bytes = line[3],
            .incarnation = line[4],
            .data_crc = static_cast<std::uint32_t>(line[5]),
            .name_bytes = static_cast<std::uint32_t>(line[5] >> 32)};
  if (header.state == SlotState::free) return true;
  if (header.name_bytes == 0 || header.name_bytes > kNameBytesMax) return false;
  return header.state == SlotState::intent || line.back() == seal_of(line, Kind::slot);
}

std::uint64_t hash_name(std::string_view name) noexcept {
  // SplitMix64's mixer, a word at a time; the length keeps "a" and "a\0" apart.
  std::uint64_t hash = 0x9e37'79b9'7f4a'7c15 * (name.size() + 1);
  while (!name.empty()) {
    std::uint64_t word = 0;
    const std::size_t taken = name.size() < sizeof(word) ? name.size() : sizeof(word);
    std::memcpy(&word, name.data(), taken);
    name.remove_prefix(taken);
    hash = (hash ^ word) * 0xbf58'476d'1ce4'e5b9;
    hash = (hash ^ (hash >> 29)) * 0x94d0'49bb'1331'11eb;
    hash ^= hash >> 32;
  }
  return hash != 0 ? hash : 1;
}

}  // namespace gpuio::pool
