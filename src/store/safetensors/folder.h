// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gpuio/result.hpp"

namespace gpuio::store {

/// What a path that a user gave leads to.
struct ModelPath {
  std::string index;               ///< URI of the index; empty if there is none.
  std::vector<std::string> files;  ///< URIs of the files, sorted; empty if the index tells them.
};

/// Finds the index or the files that `path`, a URI or a plain path, means. Only folders of the local file system are
/// listed; what anything else holds is for Context::open to say. Fails with `not_found` or `invalid_argument` (several
/// indexes), or as reading a folder does.
[[nodiscard]] Result<ModelPath> find_model(std::string_view path);

/// The URI of `name` in the folder that holds `sibling`, with the same parameters.
[[nodiscard]] std::string beside(std::string_view sibling, std::string_view name);

}  // namespace gpuio::store
