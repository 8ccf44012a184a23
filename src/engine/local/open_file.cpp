// SPDX-License-Identifier: Apache-2.0
#include "engine/local/open_file.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/random.h"
#include "base/text.h"
#include "base/try.h"

namespace gpuio::local {
namespace {

constexpr unsigned kNameAttemptsMax = 16;
constexpr std::array<std::string_view, 1> kParameters{"direct"};

Result<DirectUse> read_parameters(const spi::Uri& uri, DirectUse direct_use) {
  for (const auto& [key, value] : uri.parameters) {
    if (key != kParameters[0]) {
      const std::string_view near = base::nearest(key, kParameters);
      std::string message = near.empty() ? fmt::format("unknown parameter '{}'; there is: {}", key, kParameters[0])
                                         : fmt::format("unknown parameter '{}'; did you mean '{}'?", key, near);
      return Status(Code::invalid_argument, std::move(message)).with("uri", uri.text);
    }
    const std::optional<DirectUse> parsed = parse_direct_use(value);
    if (!parsed) {
      return Status(Code::invalid_argument, fmt::format("parameter 'direct' is auto, always or never, not '{}'", value))
          .with("uri", uri.text);
    }
    direct_use = *parsed;
  }
  return direct_use;
}

std::string aside_name(const std::string& path, std::uint64_t number) {
  const std::size_t slash = path.rfind('/');
  const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
  return fmt::format("{}.{}.gpuio-{:016x}", path.substr(0, name), path.substr(name), number);
}

Status directory_status(const std::string& path) {
  return Status(Code::invalid_argument, "is a directory: gpuio load takes folders, a store does not")
      .with("path", path);
}

Result<spi::FileHandle> open_buffered(spi::FileSystem& files, OpenedFile& file, OpenMode mode, std::uint64_t seed) {
  spi::FileOpenOptions how;
  how.access = file.writable ? spi::FileAccess::write : spi::FileAccess::read;
  how.create = mode == OpenMode::create;
  if (mode != OpenMode::replace) {
    Result<spi::FileHandle> handle = files.open(file.path, how);
    if (!handle && handle.error().native() == EISDIR) return directory_status(file.path);
    return handle;
  }
  how.create = how.exclusive = true;
  base::Random random(seed);
  file.target = file.path;
  for (unsigned attempt = 0;; ++attempt) {
    file.path = aside_name(file.target, random.next());
    Result<spi::FileHandle> handle = files.open(file.path, how);
    if (handle || handle.error().code() != Code::already_exists || attempt == kNameAttemptsMax) return handle;
  }
}

Status check_kind(const OpenedFile& file) {
  if (file.attributes.is_directory) return directory_status(file.path);
  if (file.attributes.is_regular || file.attributes.is_block_device) return {};
  return Status(Code::unsupported, "neither a file nor a block device: it has no offsets").with("path", file.path);
}

Status reserve(spi::FileSystem& files, OpenedFile& file, std::uint64_t size_bytes) {
  if (!file.attributes.is_regular || size_bytes <= file.attributes.size_bytes) return {};
  int result = files.reserve(file.buffered, size_bytes);
  if (result == -EOPNOTSUPP) result = files.truncate(file.buffered, size_bytes);
  if (result != 0) {
    return Status::from_errno(-result, "can't make room").with("path", file.path).with("size", size_bytes);
  }
  file.attributes.size_bytes = size_bytes;
  return {};
}

Status open_direct(spi::FileSystem& files, OpenedFile& file, CacheUse cache) {
  if (file.attributes.is_memory) {
    file.no_direct = fmt::format("{} is memory", file.attributes.file_system);
  } else if (file.direct_use == DirectUse::never && cache != CacheUse::direct) {
    file.no_direct = "local.direct is never";
  } else {
    spi::FileOpenOptions how;
    how.access = file.writable ? spi::FileAccess::write : spi::FileAccess::read;
    how.direct = true;
    Result<spi::FileHandle> handle = files.open(file.path, how);
    if (handle) {
      file.direct = *handle;
      return {};
    }
    file.no_direct = fmt::format("{} refuses it ({})", file.attributes.file_system, handle.error().to_string());
  }
  if (cache != CacheUse::direct) return {};
  return Status(Code::unsupported, fmt::format("no O_DIRECT: {}", file.no_direct)).with("path", file.path);
}

Status complete(spi::FileSystem& files, OpenedFile& file, const OpenOptions& options) {
  GPUIO_ASSIGN(file.attributes, files.attributes(file.buffered));
  GPUIO_TRY(check_kind(file));
  const bool creating = options.mode == OpenMode::create || options.mode == OpenMode::replace;
  if (creating) GPUIO_TRY(reserve(files, file, options.size_bytes));
  return open_direct(files, file, options.cache);
}

}  // namespace

Result<OpenedFile> open_file(spi::FileSystem& files, const spi::Uri& uri, const OpenOptions& options,
                             const LocalSettings& settings, std::uint64_t seed) {
  if (uri.path.empty()) return Status(Code::invalid_argument, "the URI has no path").with("uri", uri.text);
  if (uri.path.find('\0') != std::string::npos) {
    return Status(Code::invalid_argument, "the path has a zero byte").with("uri", uri.text);
  }
  OpenedFile file;
  file.path = uri.path;
  file.writable = options.mode != OpenMode::read;
  GPUIO_ASSIGN(file.direct_use, read_parameters(uri, settings.direct));
  GPUIO_ASSIGN(file.buffered, open_buffered(files, file, options.mode, seed));
  if (Status status = complete(files, file, options); !status.ok()) {
    files.close(file.buffered);
    if (!file.target.empty()) static_cast<void>(files.remove(file.path));
    return status;
  }
  return file;
}

}  // namespace gpuio::local
