// SPDX-License-Identifier: Apache-2.0
#include "engine/local/diagnosis.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "base/unique_fd.h"
#include "engine/local/page_cache.h"
#include "engine/local/posix_file_system.h"

namespace gpuio::local {
namespace {

using Level = Finding::Level;

// Slabs are registered once; less than their default budget makes the kernel map them for each operation.
constexpr rlim_t kMemlockWanted = 256ULL << 20;

Finding about_uring(const QueueChoice& choice) {
  if (choice.queue->name() == "io_uring") {
    return {Level::ok, "io_uring", "set up, a no-op and a read work; runs that miss the page cache use it", ""};
  }
  std::string fix = "set local.engine to auto";
  int disabled = 0;
  std::ifstream("/proc/sys/kernel/io_uring_disabled") >> disabled;
  if (disabled != 0) {
    fix = fmt::format("sysctl kernel.io_uring_disabled=0 (it is {})", disabled);
  } else if (choice.reason.find("EPERM") != std::string::npos || choice.reason.find("EACCES") != std::string::npos) {
    fix = "a sandbox refuses it: allow io_uring_setup, io_uring_enter and io_uring_register in its seccomp profile";
  } else if (choice.reason.find("ENOSYS") != std::string::npos) {
    fix = "the kernel (or the sandbox that poses as one) has none: Linux 5.19 or later has";
  } else if (choice.reason.find("ENOMEM") != std::string::npos) {
    fix = "raise the memlock limit (ulimit -l)";
  }
  return {Level::warning, "io_uring", fmt::format("pool threads are used instead: {}", choice.reason), std::move(fix)};
}

Finding about_page_cache() {
  switch (page_cache::method()) {
    case page_cache::Method::cachestat:
      return {Level::ok, "page cache", "cachestat tells what is resident", ""};
    case page_cache::Method::mincore:
      return {Level::note, "page cache", "mincore tells what is resident: slower, and for files of our own only",
              "Linux 6.5 or later has cachestat"};
    case page_cache::Method::none:
      break;
  }
  return {Level::warning, "page cache", "neither cachestat nor mincore works: residency is guessed from single reads",
          "allow cachestat (451) in the sandbox's seccomp profile"};
}

Finding about_direct(const std::string& folder) {
  const std::string subject = fmt::format("O_DIRECT in {}", folder);
  std::string path = folder + "/.gpuio-probe-XXXXXX";
  const base::UniqueFd file(mkostemp(path.data(), O_CLOEXEC | O_DIRECT));
  if (!file) return {Level::note, subject, fmt::format("can't try: {}", std::strerror(errno)), ""};
  unlink(path.c_str());
  const Result<spi::FileAttributes> attributes = make_posix_file_system()->attributes(file.get());
  if (attributes && (*attributes).is_memory) {
    return {Level::ok, subject, fmt::format("{}: memory, which needs none", (*attributes).file_system), ""};
  }
  constexpr std::size_t kBytes = DirectAlignment::kPageBytes;
  void* memory = std::aligned_alloc(kBytes, kBytes);
  std::memset(memory, 0, kBytes);
  const bool works = pwrite(file.get(), memory, kBytes, 0) == static_cast<ssize_t>(kBytes) &&
                     pread(file.get(), memory, kBytes, 0) == static_cast<ssize_t>(kBytes);
  const int error = errno;
  std::free(memory);
  const std::string system = attributes ? (*attributes).file_system : std::string("?");
  if (works) {
    const std::uint32_t alignment = attributes ? DirectAlignment(*attributes).offset() : 0;
    return {Level::ok, subject, fmt::format("{}: works, aligned to {}", system, alignment), ""};
  }
  return {Level::warning, subject,
          fmt::format("{}: refused ({}); cold data goes through the page cache", system, std::strerror(error)),
          "use a file system with direct I/O (ext4, xfs, btrfs)"};
}

bool may_lock_anything() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  return syscall(SYS_capget, &header, data.data()) == 0 && (data[0].effective & (1U << CAP_IPC_LOCK)) != 0;
}

Finding about_memlock() {
  if (may_lock_anything()) return {Level::ok, "memlock", "unlimited for this process (CAP_IPC_LOCK)", ""};
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return {Level::ok, "memlock", "unlimited", ""};
  if (limit.rlim_cur >= kMemlockWanted) {
    return {Level::ok, "memlock", fmt::format("{} MiB", limit.rlim_cur >> 20), ""};
  }
  return {Level::note, "memlock",
          fmt::format("{} KiB: io_uring maps slabs anew for each operation (a few percent of CPU time)",
                      limit.rlim_cur >> 10),
          "raise it: ulimit -l unlimited, or LimitMEMLOCK=infinity in the service's unit"};
}

}  // namespace

std::vector<Finding> diagnose_system(const QueueChoice& choice) {
  return {about_uring(choice), about_page_cache(), about_direct("/tmp"), about_direct("."), about_memlock()};
}

}  // namespace gpuio::local
