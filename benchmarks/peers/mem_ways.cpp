// SPDX-License-Identifier: Apache-2.0
// What a careful programmer does with host memory on a GPU and the CUDA runtime alone. A peer: it reads a line a sample
// from its standard input and answers with a line of JSON.
//
//   rows MEMORY MOVE ROW_BYTES COUNT SET BLOCKS THREADS LAUNCHES FORM
//                                   the minimal kernel over a table, LAUNCHES times. MEMORY: managed (it stays on the
//                                   host and the GPU maps it), host_alloc. MOVE: gather, scatter. SET: which random
//                                   ids. BLOCKS: to a multiprocessor. FORM: plain, graph
//   migrate ROW_BYTES COUNT SET     a gather from managed memory without advice whose pages start on the host
//   copy DIRECTION BYTES PIECE_BYTES STREAMS   between cudaHostAlloc's memory and the GPU: in, out
//   host_alloc BYTES                cudaHostAlloc itself
//   adds BY KIND COUNT LAUNCHES     additions to random words of the GPU's memory. BY: raw (atomicAdd), header (the
//   same
//                                   kernel with gpuio/dev/atomics.h). KIND: add, fetch (keeps what the words were)
//
// A table and what goes with it are made when first asked for, outside the time, and kept.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <cuda_runtime_api.h>

#include "mem_atomics.h"
#include "mem_rows.h"
#include "peer_process.h"

namespace {

/// Times `work`, until the GPU has done all of it.
std::string timed(std::uint64_t bytes, std::uint64_t operations, const std::function<void()>& work) {
  check(cudaDeviceSynchronize());
  const double cpu_before = cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  work();
  check(cudaDeviceSynchronize());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::ostringstream json;
  json << R"({"seconds": )" << seconds << R"(, "cpu_seconds": )" << cpu_seconds() - cpu_before << R"(, "bytes": )"
       << bytes << R"(, "operations": )" << operations << "}";
  return json.str();
}

constexpr cudaMemLocation kHost{cudaMemLocationTypeHost, 0};
constexpr cudaMemLocation kGpu{cudaMemLocationTypeDevice, 0};

using Memory = std::unique_ptr<char, void (*)(char*)>;

Memory device_memory(std::size_t bytes) {
  void* memory = nullptr;
  check(cudaMalloc(&memory, bytes));
  return {static_cast<char*>(memory), [](char* gone) { cudaFree(gone); }};
}

Memory pinned_memory(std::size_t bytes) {
  void* memory = nullptr;
  check(cudaHostAlloc(&memory, bytes, cudaHostAllocMapped));
  return {static_cast<char*>(memory), [](char* gone) { cudaFreeHost(gone); }};
}

/// `stays`: on the host, mapped by the GPU; else its pages go to whoever touches them.
Memory managed_memory(std::size_t bytes, bool stays) {
  void* memory = nullptr;
  check(cudaMallocManaged(&memory, bytes, cudaMemAttachGlobal));
  Memory owned{static_cast<char*>(memory), [](char* gone) { cudaFree(gone); }};
  if (stays) {
    check(cudaMemAdvise(memory, bytes, cudaMemAdviseSetPreferredLocation, kHost));
    check(cudaMemAdvise(memory, bytes, cudaMemAdviseSetAccessedBy, kGpu));
  }
  return owned;
}

/// Words that all differ, by all cores; this is the first touch.
void fill(char* memory, std::size_t bytes) {
  const std::size_t workers = std::max(1U, std::thread::hardware_concurrency());
  auto* words = reinterpret_cast<std::uint64_t*>(memory);
  std::vector<std::jthread> all;
  all.reserve(workers);
  for (std::size_t worker = 0; worker < workers; ++worker) {
    all.emplace_back([=] {
      const std::size_t end = bytes / 8 * (worker + 1) / workers;
      for (std::size_t i = bytes / 8 * worker / workers; i < end; ++i) words[i] = (i + 1) * 0x9e3779b97f4a7c15U;
    });
  }
}

/// Random rows of a table, on the host and on the GPU.
struct Ids {
  Ids(std::uint64_t table_rows, std::uint64_t count, unsigned seed) : host(count), gpu(device_memory(count * 4)) {
    std::mt19937_64 random(seed);
    for (unsigned& id : host) id = static_cast<unsigned>(random() % table_rows);
    check(cudaMemcpy(gpu.get(), host.data(), count * 4, cudaMemcpyHostToDevice));
  }
  std::vector<unsigned> host;
  Memory gpu;
};

/// How the rows of one request move.
struct RowsRequest {
  std::string memory;
  bool scatter = false;
  unsigned row_bytes = 0;
  std::uint64_t count = 0;
  unsigned set = 0;
  unsigned blocks = 4;  ///< To a multiprocessor.
  unsigned threads = 512;
  unsigned launches = 1;
  bool graph = false;
};

class Ways {
 public:
  explicit Ways(std::size_t table_bytes) : table_bytes_(table_bytes) {
    check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, 0));
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }

  std::string rows(const RowsRequest& request) {
    const Ids& ids = ids_of(request);
    const RowMove move = prepare(request, ids);
    const auto launch = [&] {
      check(launch_rows(move, request.blocks * static_cast<unsigned>(multiprocessors_), request.threads, stream_));
    };
    // Another process may have had the GPU: it is ours again when the clock starts.
    RowMove few = move;
    few.count = std::min<std::uint64_t>(1000, move.count);
    check(launch_rows(few, static_cast<unsigned>(multiprocessors_), request.threads, stream_));
    cudaGraphExec_t graph = request.graph ? captured(request, launch) : nullptr;
    const std::uint64_t moved = request.count * request.launches;
    return timed(moved * request.row_bytes, moved, [&] {
      for (unsigned i = 0; i < request.launches; ++i) {
        if (graph != nullptr) check(cudaGraphLaunch(graph, stream_));
        if (graph == nullptr) launch();
      }
    });
  }

  std::string migrate(RowsRequest request) {
    request.memory = "migrating";
    const Ids& ids = ids_of(request);
    const RowMove move = {false,         table(request.memory), reinterpret_cast<unsigned*>(ids.gpu.get()),
                          request.count, request.row_bytes,     packed(request)};
    std::string answer = timed(request.count * request.row_bytes, request.count, [&] {
      check(launch_rows(move, request.blocks * static_cast<unsigned>(multiprocessors_), request.threads, stream_));
    });
    verify_gather(move, ids);
    // Back to where the next sample starts.
    check(cudaMemPrefetchAsync(move.table, table_bytes_, kHost, 0, stream_));
    check(cudaStreamSynchronize(stream_));
    return answer;
  }

  std::string copy(bool in, std::size_t bytes, std::size_t piece_bytes, std::size_t streams) {
    if (copied_.empty()) {
      copied_.push_back(pinned_memory(bytes));
      copied_.push_back(device_memory(bytes));
      fill(copied_[0].get(), bytes);
    }
    while (streams_.size() < streams) check(cudaStreamCreateWithFlags(&streams_.emplace_back(), cudaStreamNonBlocking));
    char* from = copied_[in ? 0 : 1].get();
    char* to = copied_[in ? 1 : 0].get();
    return timed(bytes, 1, [&] {
      for (std::size_t at = 0, turn = 0; at < bytes; at += piece_bytes, ++turn) {
        const std::size_t piece = std::min(piece_bytes, bytes - at);
        const cudaMemcpyKind kind = in ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost;
        check(cudaMemcpyAsync(to + at, from + at, piece, kind, streams_[turn % streams]));
      }
    });
  }

  static std::string host_alloc(std::size_t bytes) {
    void* memory = nullptr;
    std::string answer = timed(bytes, 1, [&] { check(cudaHostAlloc(&memory, bytes, cudaHostAllocDefault)); });
    check(cudaFreeHost(memory));
    return answer;
  }

  std::string adds(bool by_header, bool fetch, std::uint64_t count, unsigned launches) {
    if (words_ == nullptr) {
      words_ = device_memory(kAddedWords * sizeof(unsigned long long));
      added_ids_ = std::make_unique<Ids>(kAddedWords, count, 1);
      old_ = device_memory(count * sizeof(unsigned long long));
    }
    if (added_ids_->host.size() != count) throw std::runtime_error("the count has changed");
    Adds adds{reinterpret_cast<unsigned long long*>(words_.get()),
              reinterpret_cast<unsigned*>(added_ids_->gpu.get()),
              count,
              by_header,
              fetch,
              reinterpret_cast<unsigned long long*>(old_.get())};
    check(cudaMemsetAsync(words_.get(), 0, kAddedWords * sizeof(unsigned long long), stream_));
    check(launch_adds(adds, 8 * static_cast<unsigned>(multiprocessors_), 256, stream_));
    verify_adds(count);
    return timed(0, count * launches, [&] {
      for (unsigned i = 0; i < launches; ++i) {
        check(launch_adds(adds, 8 * static_cast<unsigned>(multiprocessors_), 256, stream_));
      }
    });
  }

 private:
  static constexpr std::size_t kAddedWords = std::size_t{1} << 22U;  ///< 32 MiB: they fit the GPU's cache.

  /// Throws unless the words add up to 1 + 2 + ... + count.
  void verify_adds(std::uint64_t count) {
    std::vector<std::uint64_t> words(kAddedWords);
    check(cudaStreamSynchronize(stream_));
    check(cudaMemcpy(words.data(), words_.get(), words.size() * 8, cudaMemcpyDeviceToHost));
    std::uint64_t sum = 0;
    for (const std::uint64_t word : words) sum += word;
    if (sum != count * (count + 1) / 2) throw std::runtime_error("additions were lost");
  }

  char* table(const std::string& memory) {
    const auto found = tables_.find(memory);
    if (found != tables_.end()) return found->second.get();
    if (memory != "managed" && memory != "migrating" && memory != "host_alloc") {
      throw std::runtime_error("unknown memory: " + memory);
    }
    Memory made =
        memory == "host_alloc" ? pinned_memory(table_bytes_) : managed_memory(table_bytes_, memory == "managed");
    fill(made.get(), table_bytes_);
    return tables_.emplace(memory, std::move(made)).first->second.get();
  }

  char* packed(const RowsRequest& request) {
    const std::size_t bytes = request.count * request.row_bytes;
    if (packed_bytes_ < bytes) {
      packed_.reset();
      packed_ = device_memory(bytes);
      packed_bytes_ = bytes;
      graphs_.clear();  // They have the old address.
    }
    return packed_.get();
  }

  const Ids& ids_of(const RowsRequest& request) {
    auto& ids = ids_[{request.row_bytes, request.count, request.set}];
    if (ids == nullptr) {
      ids = std::make_unique<Ids>(table_bytes_ / request.row_bytes, request.count, request.set + 1);
    }
    return *ids;
  }

  /// Makes what a request needs and, the first time, sees that its kernel does what it should.
  RowMove prepare(const RowsRequest& request, const Ids& ids) {
    RowMove move = {false,         table(request.memory), reinterpret_cast<unsigned*>(ids.gpu.get()),
                    request.count, request.row_bytes,     packed(request)};
    const auto key = std::tuple(request.memory, request.scatter, request.row_bytes, request.set);
    if (std::ranges::find(verified_, key) == verified_.end()) {
      if (request.scatter) verify_scatter(move, ids);
      check(launch_rows(move, 528, 512, stream_));
      verify_gather(move, ids);
      verified_.push_back(key);
    }
    move.scatter = request.scatter;
    return move;
  }

  void verify_gather(const RowMove& move, const Ids& ids) {
    std::vector<char> got(std::min<std::uint64_t>(1000, move.count) * move.row_bytes);
    check(cudaStreamSynchronize(stream_));
    check(cudaMemcpy(got.data(), move.packed, got.size(), cudaMemcpyDeviceToHost));
    for (std::size_t i = 0; i * move.row_bytes < got.size(); ++i) {
      const char* row = move.table + std::uint64_t{ids.host[i]} * move.row_bytes;
      if (std::memcmp(got.data() + i * move.row_bytes, row, move.row_bytes) != 0) {
        throw std::runtime_error("the minimal gather moved wrong bytes");
      }
    }
  }

  void verify_scatter(RowMove move, const Ids& ids) {
    move.scatter = true;
    move.count = std::min<std::uint64_t>(1000, move.count);
    check(cudaMemsetAsync(move.packed, 0x5a, move.count * move.row_bytes, stream_));
    check(launch_rows(move, 528, 512, stream_));
    check(cudaStreamSynchronize(stream_));
    for (std::size_t i = 0; i < move.count; ++i) {
      const char* row = move.table + std::uint64_t{ids.host[i]} * move.row_bytes;
      if (std::count(row, row + move.row_bytes, 0x5a) != move.row_bytes) {
        throw std::runtime_error("the minimal scatter moved wrong bytes");
      }
    }
  }

  template <class Launch>
  cudaGraphExec_t captured(const RowsRequest& request, const Launch& launch) {
    cudaGraphExec_t& graph =
        graphs_[{request.memory, request.scatter, request.row_bytes, request.set, request.blocks, request.threads}];
    if (graph == nullptr) {
      check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed));
      launch();
      cudaGraph_t recorded = nullptr;
      check(cudaStreamEndCapture(stream_, &recorded));
      check(cudaGraphInstantiate(&graph, recorded, 0));
      check(cudaGraphDestroy(recorded));
    }
    return graph;
  }

  std::size_t table_bytes_;
  int multiprocessors_ = 0;
  cudaStream_t stream_ = nullptr;
  std::map<std::string, Memory> tables_;
  std::map<std::tuple<unsigned, std::uint64_t, unsigned>, std::unique_ptr<Ids>> ids_;
  Memory packed_{nullptr, [](char*) {}};
  std::size_t packed_bytes_ = 0;
  std::vector<std::tuple<std::string, bool, unsigned, unsigned>> verified_;
  std::map<std::tuple<std::string, bool, unsigned, unsigned, unsigned, unsigned>, cudaGraphExec_t> graphs_;
  Memory words_{nullptr, [](char*) {}};
  Memory old_{nullptr, [](char*) {}};
  std::unique_ptr<Ids> added_ids_;
  std::vector<Memory> copied_;
  std::vector<cudaStream_t> streams_;
};

std::string answer(Ways& ways, const std::string& line) {
  std::istringstream words(line);
  std::string way;
  words >> way;
  RowsRequest request;
  std::string move;
  std::string form;
  std::string by;
  std::size_t bytes = 0;
  std::size_t piece_bytes = 0;
  std::size_t streams = 1;
  if (way == "rows" && words >> request.memory >> move >> request.row_bytes >> request.count >> request.set >>
                           request.blocks >> request.threads >> request.launches >> form) {
    request.scatter = move == "scatter";
    request.graph = form == "graph";
    return ways.rows(request);
  }
  if (way == "migrate" && words >> request.row_bytes >> request.count >> request.set) return ways.migrate(request);
  if (way == "copy" && words >> move >> bytes >> piece_bytes >> streams) {
    return ways.copy(move == "in", bytes, piece_bytes, streams);
  }
  if (way == "host_alloc" && words >> bytes) return Ways::host_alloc(bytes);
  if (way == "adds" && words >> by >> form >> request.count >> request.launches) {
    return ways.adds(by == "header", form == "fetch", request.count, request.launches);
  }
  throw std::runtime_error("unknown request: " + line);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: gpu_mem_ways TABLE_BYTES\n";
    return 2;
  }
  std::unique_ptr<Ways> ways;
  for (std::string line; std::getline(std::cin, line);) {
    try {
      if (ways == nullptr) ways = std::make_unique<Ways>(std::stoull(argv[1]));
      std::cout << answer(*ways, line) << std::endl;
    } catch (const std::exception& error) {
      std::cout << R"({"error": ")" << error.what() << R"("})" << std::endl;
    }
  }
  return 0;
}
