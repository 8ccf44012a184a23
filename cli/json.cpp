// SPDX-License-Identifier: Apache-2.0
#include "cli/json.h"

namespace gpuio::cli {

Json to_json(const Status& status) {
  return {{"code", to_string(status.code())},
          {"message", status.message()},
          {"scope", to_string(status.scope())},
          {"retryable", status.retryable()},
          {"native", status.native()}};
}

void print_json(const Shell& shell, const Json& value) {
  constexpr int kIndent = 2;
  shell.print(value.dump(kIndent, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace gpuio::cli
