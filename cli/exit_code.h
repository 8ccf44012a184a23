// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

namespace gpuio::cli {

/// What the process returns. `gpuio --help` prints this table; docs/exit-codes.md holds the same words, and a test
/// compares.
enum class ExitCode : int {
  ok = 0,
  failure = 1,
  usage = 2,
  verification = 3,
  interrupted = 130,
  terminated = 143,
};

struct ExitCodeText {
  ExitCode code;
  std::string_view text;
};

inline constexpr std::array kExitCodes{
    ExitCodeText{ExitCode::ok, "done, and verified where that was asked for"},
    ExitCodeText{ExitCode::failure, "the operation failed, or doctor found a problem"},
    ExitCodeText{ExitCode::usage, "the command line is wrong; nothing was done"},
    ExitCodeText{ExitCode::verification, "verification failed: bytes differ from their source"},
    ExitCodeText{ExitCode::interrupted, "interrupted (Ctrl-C); work under way was cancelled"},
    ExitCodeText{ExitCode::terminated, "terminated (SIGTERM); work under way was cancelled"},
};

}  // namespace gpuio::cli
