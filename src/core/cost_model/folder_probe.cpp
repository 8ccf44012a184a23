// SPDX-License-Identifier: Apache-2.0
#include "core/cost_model/folder_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/unique_fd.h"
#include "base/units.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kSmallBytes = 4 * base::kKiB;

/// A name in the folder that nobody else has, and at the end no longer anybody.
class OwnFile {
 public:
  static Result<OwnFile> make(const std::string& folder) {
    std::string path = folder + "/.gpuio_calibrate_XXXXXX";
    const base::UniqueFd fd(::mkostemp(path.data(), O_CLOEXEC));
    if (!fd) return Status::from_errno(errno, "can't make a file to measure").with("folder", folder);
    return OwnFile(std::move(path));
  }
  OwnFile(OwnFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  OwnFile& operator=(OwnFile&&) = delete;
  ~OwnFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  explicit OwnFile(std::string path) noexcept : path_(std::move(path)) {}
  std::string path_;
};

Status wait(Result<Request> request) { return request ? request->wait() : std::move(request).error(); }

/// 0 where the store has no way past the page cache.
Result<double> or_none(Result<double> rate) {
  const bool none =
      !rate && (rate.error().code() == Code::unsupported || rate.error().code() == Code::invalid_argument);
  return none ? Result<double>(0.0) : std::move(rate);
}

Layout random_reads(std::uint64_t file_bytes, std::uint64_t count) {
  base::Random random(1);
  std::vector<Extent> extents(count);
  for (Extent& extent : extents) extent = {random.uniform(file_bytes / kSmallBytes) * kSmallBytes, kSmallBytes};
  return Layout::extents(std::move(extents));
}

}  // namespace

Result<FolderCost> measure_folder(const Session& session, const Context& context, const std::string& folder) {
  const std::uint64_t bytes = session.quick ? 16 * base::kMiB : 256 * base::kMiB;
  const std::uint64_t reads = session.quick ? 1024 : 8192;
  const Meter meter(session);
  GPUIO_ASSIGN(const OwnFile file, OwnFile::make(folder));
  GPUIO_ASSIGN(const Device host, context.device("host"));
  GPUIO_ASSIGN(const Buffer buffer, host.allocate(bytes));
  std::memset(buffer.data(), 1, bytes);
  GPUIO_ASSIGN(const Store store, context.open(file.path(), {.mode = OpenMode::write}));

  FolderCost cost;
  cost.folder = folder;
  TransferOptions options;
  options.completion = Completion::durable;
  const auto write = [&] { return wait(context.write(store, buffer, options)); };
  GPUIO_ASSIGN(cost.write_bytes_per_second, meter.best_rate_of(static_cast<double>(bytes), write));

  options.completion = Completion::placed;
  options.cache = CacheUse::direct;
  const auto read = [&] { return wait(context.read(store, buffer, options)); };
  GPUIO_ASSIGN(cost.read_bytes_per_second, or_none(meter.best_rate_of(static_cast<double>(bytes), read)));

  const Layout places = random_reads(bytes, reads);
  GPUIO_ASSIGN(const Slice target, buffer.slice(0, reads * kSmallBytes));
  const auto read_small = [&] { return wait(context.read(store, places, target, options)); };
  GPUIO_ASSIGN(cost.small_reads_per_second, or_none(meter.best_rate_of(static_cast<double>(reads), read_small)));
  return cost;
}

}  // namespace gpuio::core
