// SPDX-License-Identifier: Apache-2.0
// mem.gpu.atomic: additions to random words by kernels. In the GPU's memory by our header against CUDA's own function,
// in the same process; in host memory through the owner, where the link has no atomic operations.

#include <algorithm>
#include <cstring>
#include <random>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>

#include "gpu/measurements.h"
#include "gpu/mem_rig.h"
#include "gpuio/atomics.hpp"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kAdds = 1'000'000;
constexpr std::uint64_t kDelegatedWordsBytes = std::uint64_t{1} << 20;

/// Additions of 1 to random words of pinned memory that the host makes for the GPU.
class DelegatedAdds {
 public:
  DelegatedAdds(const MemRig& rig, std::uint64_t count)
      : count_(count),
        words_(rig.gpu().allocate(kDelegatedWordsBytes, {.kind = RegionKind::pinned}).value()),
        inputs_(rig.gpu().allocate(count * kInputBytes + 8, {.kind = RegionKind::pinned}).value()),
        atomics_(DelegatedAtomics::create(rig.io(), rig.gpu(), words_).value()),
        stream_(rig.gpu().create_stream().value()) {
    operands_ = inputs_.slice(0, count * 8).value().pin().value();
    ids_ = inputs_.slice(count * 8, count * 4).value().pin().value();
    status_ = inputs_.slice(count * kInputBytes, 4).value().pin().value();
    std::memset(words_.data(), 0, words_.size());
    std::memset(inputs_.data(), 0, inputs_.size());
    std::mt19937_64 random(1);
    auto* operands = reinterpret_cast<std::uint64_t*>(operands_.data());
    auto* ids = reinterpret_cast<std::uint32_t*>(ids_.data());
    std::fill_n(operands, count, std::uint64_t{1});
    std::generate_n(ids, count, [&] { return static_cast<std::uint32_t>(random() % (kDelegatedWordsBytes / 8)); });
  }

  Sample run() {
    return timed([&](Sample& sample) {
      const UpdateLaunch update{
          .delegate = &atomics_, .count = count_, .ids = &ids_, .operands = &operands_, .status = &status_};
      throw_if_failed(launch_update(stream_, update));
      throw_if_failed(stream_.synchronize());
      sample.operations = count_;
      asked_ += count_;
    });
  }

  /// Throws unless every addition was made once.
  void verify() const {
    std::uint64_t sum = 0;
    for (std::uint64_t at = 0; at < words_.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, words_.data() + at, sizeof(word));
      sum += word;
    }
    if (sum != asked_) throw std::runtime_error(fmt::format("{} additions of {} were made", sum, asked_));
  }

 private:
  static constexpr std::uint64_t kInputBytes = 8 + 4;  ///< An operand and an id.

  std::uint64_t count_;
  std::uint64_t asked_ = 0;
  Buffer words_;
  Buffer inputs_;
  DelegatedAtomics atomics_;
  Stream stream_;
  Pin operands_;
  Pin ids_;
  Pin status_;
};

/// The same kernel by our header or by atomicAdd; `fetch`: it keeps what each word was.
Contender adds(MemRig& rig, std::string name, std::string_view by, std::string_view kind) {
  return rig.way(std::move(name), [by = std::string(by), kind = std::string(kind)](unsigned) {
    return fmt::format("adds {} {} {} 64", by, kind, kAdds);
  });
}

}  // namespace

void mem_gpu_atomic(const Options& options, Samples& samples) {
  MemRig rig(options, samples, kDelegatedWordsBytes);
  DelegatedAdds delegated(rig, options.file_bytes == 0 ? kAdds : 1000);
  alternate(samples, {{"gpuio, delegated", [&](unsigned) { return delegated.run(); }}}, options.rounds_or(10));
  delegated.verify();
  for (const std::string_view kind : {"add", "fetch"}) {
    std::vector<Contender> contenders;
    for (const auto& [who, by] : {std::pair{"gpuio", "header"}, {"atomicAdd", "raw"}}) {
      const std::string name = fmt::format("{}, {}", who, kind);
      rig.join(contenders, name, {adds(rig, name, by, kind)});
    }
    if (!contenders.empty()) alternate(samples, contenders, options.rounds_or(20));
  }
}

}  // namespace gpuio::bench
