// SPDX-License-Identifier: Apache-2.0
#include "core/view/delegate.h"

#include <algorithm>

namespace gpuio::core {
namespace {

using dev::DelegateAnswer;
using dev::DelegateRequest;
using dev::DelegateResult;

constexpr std::uint64_t kAwakeNs = 200'000;  // As long as a launch takes to follow another.
constexpr std::uint64_t kSleepMaxNs = 1'000'000;

template <class T>
DelegateAnswer apply(std::byte* word, const DelegateRequest& request) {
  T& typed = *reinterpret_cast<T*>(word);
  const T operand = dev::from_bits<T>(request.operand);
  const T expected = dev::from_bits<T>(request.expected);
  const T old = dev::apply<dev::Scope::process>(request.op, typed, operand, expected, dev::Order::acquire_release);
  return {DelegateResult::done, dev::to_bits(old)};
}

DelegateAnswer apply(std::byte* word, const DelegateRequest& request) {
  switch (request.type) {
    case dev::ValueType::i32:
      return apply<std::int32_t>(word, request);
    case dev::ValueType::u32:
      return apply<std::uint32_t>(word, request);
    case dev::ValueType::i64:
      return apply<std::int64_t>(word, request);
    case dev::ValueType::u64:
      return apply<std::uint64_t>(word, request);
    case dev::ValueType::f32:
      return apply<float>(word, request);
    case dev::ValueType::f64:
      return apply<double>(word, request);
  }
  return {DelegateResult::unsupported, 0};
}

}  // namespace

DelegateServer::DelegateServer(std::byte* words, const dev::DelegateRing& ring) : words_(words), ring_(ring) {
  queues_.reserve(ring.queues);
  for (std::uint32_t queue = 0; queue < ring.queues; ++queue) queues_.push_back({dev::DelegateQueue(ring, queue)});
}

std::uint64_t DelegateServer::poll(std::uint64_t now_ns) {
  if (serve() > 0 || worked_ns_ == 0) worked_ns_ = now_ns;
  const std::uint64_t idle_ns = now_ns - worked_ns_;
  return idle_ns < kAwakeNs ? now_ns : now_ns + std::min(idle_ns / 4, kSleepMaxNs);
}

std::uint64_t DelegateServer::serve() {
  std::uint64_t count = 0;
  for (Queue& queue : queues_) count += serve(queue);
  if (count > 0) served_.fetch_add(count, std::memory_order_relaxed);
  return count;
}

std::uint64_t DelegateServer::serve(Queue& queue) {
  std::uint64_t count = 0;
  for (; count < ring_.slots; ++count, ++queue.next) {
    const std::uint64_t slot = queue.next % ring_.slots;
    const std::uint64_t round = queue.next / ring_.slots + 1;
    const dev::TaggedWord asked = load_tagged(queue.slots.request(slot));
    if (!dev::tag::is_of(asked.tag, round)) break;
    DelegateRequest request = dev::tag::request(asked.tag);
    request.operand = asked.value;
    if (request.op == dev::AtomicOp::compare_exchange) {
      const dev::TaggedWord second = load_tagged(queue.slots.second(slot));
      // Two stores of one caller may arrive in either order.
      if (!dev::tag::is_of(second.tag, round)) break;
      request.expected = second.value;
    }
    const DelegateAnswer given = answer(request);
    store_tagged(queue.slots.answer(slot), {given.old, dev::tag::of(given.result, round)});
    if (given.result != DelegateResult::done) refused_.fetch_add(1, std::memory_order_relaxed);
  }
  return count;
}

DelegateAnswer DelegateServer::answer(const DelegateRequest& request) const {
  // Callers check all this, but what they write into shared memory is not to be trusted with our addresses.
  if (!dev::applies(request.op, request.type)) return {DelegateResult::unsupported, 0};
  const std::uint32_t bytes = dev::bytes_of(request.type);
  if (request.offset % bytes != 0) return {DelegateResult::misaligned, 0};
  if (request.offset > ring_.words_bytes || bytes > ring_.words_bytes - request.offset) {
    return {DelegateResult::out_of_range, 0};
  }
  return apply(words_ + request.offset, request);
}

}  // namespace gpuio::core
