// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace gpuio::cli {

/// Completion scripts, made from the tree of commands and options and so never behind it. What a value may be is read
/// from its type name, or from an argument's own: "a|b|c" are choices; PATH, FILE, URI, SRC and DST are files.
std::string bash_completion(const CLI::App& root);
std::string zsh_completion(const CLI::App& root);
std::string fish_completion(const CLI::App& root);

}  // namespace gpuio::cli
