// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

namespace gpuio::cli {

/// The files named by `paths`: files as they are, folders with every regular file below them, sorted.
///
/// Links to files are followed (model caches are made of them), links to folders are not (they may form circles).
/// Throws gpuio::Error: `not_found`, `permission_denied` (a folder that can't be listed), `invalid_argument` (neither
/// file nor folder; no regular file at all).
std::vector<std::string> find_files(std::span<const std::string> paths);

}  // namespace gpuio::cli
