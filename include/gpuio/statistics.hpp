// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gpuio {

/// What was done of one kind. Latencies are from submission to report, in ns, from a log-linear histogram (3 % bins).
struct OperationStatistics {
  std::string operation;              ///< "read", "write", "copy", "fill", "flush", "launch"
  std::string tier;                   ///< Of the store: "nvme", "dram", ...
  std::string device;                 ///< Of the memory: "host", "cuda:0"
  std::uint64_t requests = 0;         ///< Reported, failed and cancelled ones too.
  std::uint64_t bytes = 0;            ///< Moved, by failed and cancelled ones too.
  std::uint64_t failures = 0;         ///< Requests with a failed part, or that missed their deadline.
  std::uint64_t latency_p50_ns = 0;   ///< Half were faster.
  std::uint64_t latency_p99_ns = 0;   ///< 99 % were.
  std::uint64_t latency_p999_ns = 0;  ///< 99.9 % were.
  std::uint64_t latency_max_ns = 0;   ///< All were, or as fast.
};

/// A reading of a Context's counters; monotonic unless said otherwise.
struct Statistics {
  std::vector<OperationStatistics> operations;  ///< One for each kind that occurred.
  std::uint64_t requests_outstanding = 0;       ///< Now.
  std::uint64_t pinned_bytes = 0;       ///< Now: slabs and windows that count against memory.pinned_budget_bytes.
  std::uint64_t pinned_bytes_max = 0;   ///< Highest since start.
  std::uint64_t registered_bytes = 0;   ///< Now: file pages left registered (memory.registered_budget_bytes).
  std::uint64_t slab_waits = 0;         ///< Times a full slab ring pushed back.
  std::uint64_t retries = 0;            ///< Operations tried again (EINTR, EAGAIN, retryable errors).
  std::uint64_t short_transfers = 0;    ///< Short counts that were continued.
  std::uint64_t coalesced = 0;          ///< Pieces that travelled with a neighbour.
  std::uint64_t runs = 0;               ///< Runs given to engines.
  std::uint64_t quarantined_bytes = 0;  ///< Now: slabs held because a device has not answered.
};

}  // namespace gpuio
