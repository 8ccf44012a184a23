// SPDX-License-Identifier: Apache-2.0
// Random transfers of real files, by every engine, way and device, against pread and pwrite.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "assembly/kernels/host_kernels.h"
#include "assembly/parts.h"
#include "base/random.h"
#include "base/unique_fd.h"
#include "core/context_state.h"
#include "device/host/driver.h"
#include "gpuio/gpuio.hpp"
#include "sim/device.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kFileBytes = (6U << 20U) + 1234;
constexpr std::uint64_t kTransferBytesMax = 2U << 20U;

/// A real file, and a second one that pread and pwrite alone have touched.
class Files {
 public:
  Files(const std::filesystem::path& folder, base::Random& random)
      : path_((folder / "gpuio-oracle-XXXXXX").string()), bytes_(kFileBytes) {
    file_.reset(::mkstemp(path_.data()));
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(random.next() >> 56U);
    if (!file_ || ::pwrite(file_.get(), bytes_.data(), bytes_.size(), 0) != static_cast<ssize_t>(kFileBytes))
      std::abort();
  }
  ~Files() { ::unlink(path_.c_str()); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  void pread(std::uint64_t offset, std::span<std::byte> memory) const {
    if (::pread(file_.get(), memory.data(), memory.size(), static_cast<off_t>(offset)) != std::ssize(memory))
      std::abort();
  }
  void evict(bool wait_first) const {
    if (wait_first) ::fdatasync(file_.get());
    ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_DONTNEED);
  }

 private:
  std::string path_;
  base::UniqueFd file_;
  std::vector<std::byte> bytes_;
};

/// Layout and, for the oracle, the same as a list.
struct Drawn {
  Layout layout;
  std::vector<Extent> extents;
  std::uint64_t bytes = 0;
};

Drawn draw_layout(base::Random& random, bool distinct) {
  constexpr std::uint64_t kSpans[] = {600, 9'000, 70'000, 600'000, kTransferBytesMax};
  const std::uint64_t span = 1 + random.uniform(kSpans[random.uniform(std::size(kSpans))]);
  const std::uint64_t alignment = std::uint64_t{1} << random.uniform(14);
  const std::uint64_t begin = random.uniform(kFileBytes - span + 1) / alignment * alignment;
  Drawn drawn;
  const std::uint64_t piece = 1 + random.uniform(span) / (1 + random.uniform(400));
  switch (random.uniform(4)) {
    case 0:
      drawn.extents = {{begin, span}};
      drawn.layout = Layout::contiguous(begin, span);
      break;
    case 1: {
      const std::uint64_t stride = piece + random.uniform(piece + 1);
      const std::uint64_t count = std::min<std::uint64_t>(1 + (span - piece) / stride, 2000);
      for (std::uint64_t i = 0; i < count; ++i) drawn.extents.push_back({begin + i * stride, piece});
      drawn.layout = Layout::strided({begin, piece, stride, count});
      break;
    }
    case 2: {
      std::vector<std::uint64_t> ids(std::min<std::uint64_t>(span / piece, 2000));
      std::iota(ids.begin(), ids.end(), std::uint64_t{0});
      for (std::size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[random.uniform(i)]);
      if (!distinct && ids.size() > 1) ids.back() = ids.front();
      for (const std::uint64_t id : ids) drawn.extents.push_back({begin + id * piece, piece});
      drawn.layout = Layout::rows({begin, piece, 0, std::move(ids)});
      break;
    }
    default:
      for (std::uint64_t at = begin; at < begin + span && drawn.extents.size() < 2000; at += random.uniform(piece)) {
        const std::uint64_t length = std::min(1 + random.uniform(piece), begin + span - at);
        drawn.extents.push_back({at, length});
        at += length;
      }
      drawn.layout = Layout::extents(drawn.extents);
  }
  for (const Extent& extent : drawn.extents) drawn.bytes += extent.length;
  return drawn;
}

/// One Context: an engine, a device that is the host's or poses as an accelerator.
Context make_context(const std::string& engine, const std::string& hot_path, bool memory_is_host) {
  ContextOptions options{Settings(), Drive::threads};
  throw_if_failed(options.settings.set("local.engine", engine));
  throw_if_failed(options.settings.set("local.hot_path", hot_path));
  throw_if_failed(options.settings.set("memory.slab_bytes", "512KiB"));
  core::Parts parts = assembly::parts();
  parts.devices.clear();
  parts.devices.push_back([=](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
    auto driver = std::make_unique<host::Driver>(host.executor, 1, assembly::host_kernels());
    if (memory_is_host) return driver;
    std::vector<sim::DeviceModel> models(1);
    models[0].memory_is_host = false;
    return std::make_unique<sim::Driver>(std::move(driver), std::make_shared<sim::Fate>(0), host.executor,
                                         std::make_shared<sim::Ledger>(), std::move(models));
  });
  return core::ContextState::create(options, std::move(parts)).value();
}

struct Case {
  std::string folder;
  std::string engine;
  std::string hot_path;
  bool memory_is_host;
};

class Oracle : public testing::TestWithParam<Case> {
 protected:
  static constexpr std::uint64_t kGuardBytes = 64;

  void SetUp() override {
    if (!std::filesystem::exists(GetParam().folder)) GTEST_SKIP() << "no " << GetParam().folder;
  }

  void check_read(const Context& context, const Store& store, const Files& files, const Buffer& buffer,
                  base::Random& random) {
    const Drawn drawn = draw_layout(random, false);
    const std::uint64_t at = kGuardBytes + random.uniform(5000);
    std::memset(buffer.data(), 0xA5, buffer.size());
    const Request request =
        context.read(store, drawn.layout, buffer.slice(at, drawn.bytes).value(), draw_options(random)).value();
    ASSERT_TRUE(request.wait().ok()) << request.status().to_string();
    std::vector<std::byte> expected(buffer.size(), std::byte{0xA5});
    std::uint64_t position = at;
    for (const Extent& extent : drawn.extents) {
      files.pread(extent.offset, std::span(expected).subspan(position, extent.length));
      position += extent.length;
    }
    ASSERT_EQ(std::memcmp(buffer.data(), expected.data(), expected.size()), 0) << request.explain();
  }

  void check_write(const Context& context, const Store& store, const Files& files, const Buffer& buffer,
                   base::Random& random, std::vector<std::byte>& model) {
    const Drawn drawn = draw_layout(random, true);
    const std::uint64_t at = random.uniform(5000);
    for (std::uint64_t i = 0; i < drawn.bytes; ++i)
      buffer.data()[at + i] = static_cast<std::byte>(random.next() >> 56U);
    const Request request =
        context.write(store, drawn.layout, buffer.slice(at, drawn.bytes).value(), draw_options(random)).value();
    ASSERT_TRUE(request.wait().ok()) << request.status().to_string();
    std::uint64_t position = at;
    for (const Extent& extent : drawn.extents) {
      std::memcpy(model.data() + extent.offset, buffer.data() + position, extent.length);
      position += extent.length;
    }
    std::vector<std::byte> seen(kFileBytes);
    files.pread(0, seen);
    ASSERT_EQ(std::memcmp(seen.data(), model.data(), seen.size()), 0) << request.explain();
  }

  static TransferOptions draw_options(base::Random& random) {
    TransferOptions options;
    options.cache = static_cast<CacheUse>(random.uniform(3));
    options.priority = static_cast<Priority>(random.uniform(3));
    return options;
  }
};

TEST_P(Oracle, EveryByteIsWherePreadAndPwriteSay) {
  const char* const given = std::getenv("GPUIO_ORACLE_SEED");
  const std::uint64_t seed = given == nullptr ? 20261123 : std::strtoull(given, nullptr, 10);
  SCOPED_TRACE("replay with GPUIO_ORACLE_SEED=" + std::to_string(seed));
  base::Random random(seed);
  const Files files(GetParam().folder, random);
  std::vector<std::byte> model(kFileBytes);
  files.pread(0, model);
  const Context context = make_context(GetParam().engine, GetParam().hot_path, GetParam().memory_is_host);
  const Store store = context.open(files.path(), {.mode = OpenMode::write}).value();
  const Buffer buffer = context.device("host").value().allocate(kTransferBytesMax + (64U << 10U)).value();
  for (int i = 0; i < 350 && !HasFatalFailure(); ++i) {
    SCOPED_TRACE("transfer " + std::to_string(i));
    if (random.chance(0.2)) files.evict(random.chance(0.1));
    if (random.chance(0.7)) {
      check_read(context, store, files, buffer, random);
    } else {
      check_write(context, store, files, buffer, random, model);
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* folder : {"/var/tmp", "/dev/shm"}) {
    for (const char* engine : {"uring", "threads"}) {
      all.push_back({folder, engine, "auto", true});
      all.push_back({folder, engine, "copy", false});
      all.push_back({folder, engine, "register", false});
      all.push_back({folder, engine, "kernel", false});
    }
  }
  return all;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const Case& one = info.param;
  return std::string(one.folder == "/dev/shm" ? "tmpfs" : "disk") + "_" + one.engine + "_" +
         (one.memory_is_host ? "host" : "accelerator") + "_" + one.hot_path;
}

INSTANTIATE_TEST_SUITE_P(All, Oracle, testing::ValuesIn(cases()), case_name);

}  // namespace
}  // namespace gpuio::tests
