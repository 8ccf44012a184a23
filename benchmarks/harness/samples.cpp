// SPDX-License-Identifier: Apache-2.0
#include "harness/samples.h"

#include <string>

#include <nlohmann/json.hpp>

namespace gpuio::bench {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(std::string_view series, const Sample& sample) {
  return {{"series", series},
          {"seconds", sample.seconds},
          {"cpu_seconds", sample.cpu_seconds},
          {"bytes", sample.bytes},
          {"operations", sample.operations}};
}

}  // namespace

void Samples::add(std::string_view series, unsigned pair, const Sample& sample) {
  Json line = json_of(series, sample);
  line["pair"] = pair;
  out_ << line.dump() << std::endl;
}

void Samples::add_trial(std::string_view series, const Sample& sample) {
  Json line = json_of(series, sample);
  line["trial"] = true;
  out_ << line.dump() << std::endl;
}

void Samples::add(std::string_view series, unsigned pair,
                  std::initializer_list<std::pair<std::string_view, double>> figures) {
  Json line{{"series", series}, {"pair", pair}};
  for (const auto& [figure, value] : figures) line[std::string(figure)] = value;
  out_ << line.dump() << std::endl;
}

void Samples::add(std::string_view series, unsigned pair, std::string_view figure, const std::vector<double>& values) {
  Json line{{"series", series}, {"pair", pair}};
  line[std::string(figure)] = values;
  out_ << line.dump() << std::endl;
}

}  // namespace gpuio::bench
