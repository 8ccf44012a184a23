// SPDX-License-Identifier: Apache-2.0
// Any text as a file of costs: an error, or a model that can be written and read back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gpuio/cost_model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const gpuio::Result<gpuio::CostModel> model =
      gpuio::CostModel::from_json(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!model) return 0;
  (void)model->thresholds();
  const std::string text = model->to_json();
  const gpuio::Result<gpuio::CostModel> again = gpuio::CostModel::from_json(text);
  if (!again || again->to_json() != text) std::abort();
  return 0;
}
