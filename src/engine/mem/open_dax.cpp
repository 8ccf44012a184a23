// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <utility>

#include "base/try.h"
#include "base/units.h"
#include "engine/mem/opened_memory.h"
#include "engine/mem/parameters.h"

namespace gpuio::mem {
namespace {

/// Of nearly every dax device, and so of a file that stands in for one.
constexpr std::uint64_t kUsualPageBytes = 2 * base::kMiB;

Result<std::uint64_t> read_number(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  std::uint64_t number = 0;
  if (!std::getline(file, text)) return Status(Code::not_found, "the system does not tell").with("file", path);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number == 0) return Status(Code::corrupt, "no number there").with("file", path);
  return number;
}

/// What the system knows of the device `number`.
Status describe_device(dev_t number, const std::string& sys, OpenedMemory& memory) {
  const std::string folder = sys + "/dev/char/" + std::to_string(major(number)) + ":" + std::to_string(minor(number));
  const Result<std::uint64_t> align = read_number(folder + "/align");
  const Result<std::uint64_t> size = read_number(folder + "/size");
  if (!align || !size) {
    return Status(Code::invalid_argument, "no dax device: " + (size ? align : size).error().to_string());
  }
  memory.is_device = true;
  memory.size_bytes = *size;
  memory.page_bytes = *align;
  memory.made_of = "dax device, pages of " + base::format_size(memory.page_bytes);
  return {};
}

Status describe_file(const struct stat& now, const Parameters& parameters, const OpenOptions& options,
                     OpenedMemory& memory) {
  memory.page_bytes = parameters.page_bytes != 0 ? parameters.page_bytes : kUsualPageBytes;
  memory.size_bytes = static_cast<std::uint64_t>(now.st_size);
  if (options.mode == OpenMode::create && memory.size_bytes == 0) {
    memory.size_bytes = options.size_bytes;
    if (::ftruncate(memory.descriptor.get(), static_cast<off_t>(memory.size_bytes)) != 0) {
      return Status::from_errno(errno, "can't give the file its length").with("size", memory.size_bytes);
    }
  }
  if (memory.size_bytes == 0 || memory.size_bytes % memory.page_bytes != 0) {
    return Status(Code::invalid_argument, "a file that stands in for a dax device consists of whole pages: page=")
        .with("size", memory.size_bytes)
        .with("page_bytes", memory.page_bytes);
  }
  memory.made_of = "file in place of a dax device, pages of " + base::format_size(memory.page_bytes);
  return {};
}

Status open_failed(int error, const std::string& path) {
  Status status = Status::from_errno(error, "can't open").with("path", path);
  if (error != ENOENT || !path.starts_with("/dev/dax")) return status;
  return Status(Code::not_found,
                "no such dax device; one that is in use as system-ram is a NUMA node instead: `daxctl "
                "reconfigure-device --mode=devdax` makes it a device")
      .with("path", path)
      .with_native(error);
}

}  // namespace

Result<OpenedMemory> open_dax(const spi::Uri& uri, const OpenOptions& options, const std::string& sys) {
  GPUIO_ASSIGN(const Parameters parameters, read_parameters(uri));
  if (options.mode == OpenMode::replace || options.cache == CacheUse::direct) {
    return Status(Code::unsupported, "memory is neither replaced all or nothing nor has it a cache to go around")
        .with("uri", uri.text);
  }
  OpenedMemory memory;
  memory.name = uri.path;
  memory.tier = "cxl";
  memory.writable = options.mode != OpenMode::read;
  int flags = O_CLOEXEC | O_NONBLOCK | (memory.writable ? O_RDWR : O_RDONLY);
  if (options.mode == OpenMode::create && options.size_bytes != 0) flags |= O_CREAT;
  memory.descriptor.reset(::open(uri.path.c_str(), flags, 0600));
  struct stat now{};
  if (!memory.descriptor || ::fstat(memory.descriptor.get(), &now) != 0) return open_failed(errno, uri.path);
  Status described(Code::invalid_argument, "neither a dax device nor a file that could stand in for one");
  if (S_ISCHR(now.st_mode)) described = describe_device(now.st_rdev, sys, memory);
  if (S_ISREG(now.st_mode)) described = describe_file(now, parameters, options, memory);
  if (!described.ok()) return std::move(described).with("uri", uri.text);
  // Several hosts may have a device, and CXL 2 keeps their caches apart; a file is one host's.
  memory.sharing.reach = memory.is_device ? Reach::pool : Reach::host;
  memory.sharing.coherent = parameters.coherent.value_or(!memory.is_device);
  memory.made_of += memory.sharing.coherent ? "" : "; caches are flushed by hand";
  memory.reserve_bytes = memory.size_bytes;
  return memory;
}

}  // namespace gpuio::mem
