// SPDX-License-Identifier: Apache-2.0
// The file that a model is kept in.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/try.h"
#include "base/unique_fd.h"
#include "core/context_state.h"
#include "core/cost_model/fingerprint.h"
#include "core/settings/settings_values.h"
#include "gpuio/cost_model.hpp"
#include "gpuio/settings.hpp"

namespace gpuio {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileBytesMax = 1 << 20;
constexpr std::string_view kHint = "run 'gpuio calibrate'";

Status failed(std::string_view what, const std::string& path) {
  return Status::from_errno(errno, std::string(what)).with("file", path);
}

Result<std::string> read_all(const std::string& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return failed("can't open the cost model", path);
  std::string text(kFileBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("can't read the cost model", path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kFileBytesMax) return Status(Code::corrupt, "a cost model has at most 1 MiB").with("file", path);
  text.resize(size);
  return text;
}

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t done = ::write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failed("can't write the cost model", path);
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return ::fsync(fd) == 0 ? Status() : failed("can't write the cost model", path);
}

Status make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return {};
  return Status::from_errno(error.value(), "can't make the cost model's folder").with("folder", folder.string());
}

}  // namespace

Status CostModel::save(const std::string& path) const {
  if (path.empty()) return Status(Code::invalid_argument, "no file named for the cost model");
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty()) GPUIO_TRY(make_folder(folder));
  // Beside its place, so that it gets there by one rename: another process reads the old one or the new.
  std::string aside = path + ".XXXXXX";
  const base::UniqueFd fd(::mkostemp(aside.data(), O_CLOEXEC));
  if (!fd) return failed("can't write the cost model", path);
  Status status = write_all(fd.get(), to_json(), path);
  constexpr mode_t kReadable = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
  if (status.ok() && ::fchmod(fd.get(), kReadable) != 0) status = failed("can't write the cost model", path);
  if (status.ok() && ::rename(aside.c_str(), path.c_str()) != 0) status = failed("can't write the cost model", path);
  if (!status.ok()) ::unlink(aside.c_str());
  return status;
}

Result<CostModel> CostModel::load(const std::string& path) {
  GPUIO_ASSIGN(const std::string text, read_all(path));
  Result<CostModel> model = from_json(text);
  if (!model) {
    const Status& error = model.error();
    return Status(error.code(), fmt::format("{}; {}", error.message(), kHint)).with("file", path);
  }
  const std::string difference = core::difference(core::this_machine(), model->machine);
  if (difference.empty()) return model;
  return Status(Code::unsupported, fmt::format("a cost model of another machine ({}); {}", difference, kHint))
      .with("file", path);
}

std::string CostModel::path_of(const Settings& settings) {
  const std::string& set = settings.values().core_cost_model;
  if (set == "off") return {};
  if (!set.empty()) return set;
  const char* cache_home = std::getenv("XDG_CACHE_HOME");
  if (cache_home != nullptr && *cache_home != '\0') return std::string(cache_home) + "/gpuio/cost_model.json";
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? std::string(home) + "/.cache/gpuio/cost_model.json" : std::string();
}

Result<CostModel> CostModel::of(const Context& context) { return context.state()->costs().model(); }

}  // namespace gpuio
