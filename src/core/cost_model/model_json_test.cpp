// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <span>

#include <nlohmann/json.hpp>

#include "base/checksum.h"
#include "core/cost_model/example_model.h"

namespace gpuio::core {
namespace {

using Json = nlohmann::ordered_json;

/// The example's file, changed, with a checksum that fits: what is behind it is looked at then.
Result<CostModel> read_changed(const std::function<void(Json& model)>& change) {
  Json file = Json::parse(example_model().to_json());
  change(file["model"]);
  const std::string text = file["model"].dump();
  file["crc32c"] = fmt::format("{:08x}", base::crc32c(std::as_bytes(std::span(text))));
  return CostModel::from_json(file.dump());
}

TEST(CostModelJson, ComesBackAsItWent) {
  const std::string text = example_model().to_json();
  const Result<CostModel> again = CostModel::from_json(text);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(again->to_json(), text);
  EXPECT_EQ(again->machine.processor, "A Processor \"9000\"");
  EXPECT_EQ(again->memory.at(0).rows.at(1).all_threads_rows_per_second, 15e6);
  EXPECT_EQ(again->devices.at(0).pieces.at(2).bytes, 256U << 10U);
  EXPECT_TRUE(again->quick);
}

TEST(CostModelJson, AnEmptyModelComesBackToo) {
  const Result<CostModel> again = CostModel::from_json(CostModel().to_json());
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_TRUE(again->memory.empty());
}

TEST(CostModelJson, EveryByteThatChangesIsNoticed) {
  const std::string text = example_model().to_json();
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(CostModel::from_json(damaged)) << i << ": " << text.substr(i, 20);
  }
}

TEST(CostModelJson, EveryCutIsNoticed) {
  const std::string text = example_model().to_json();
  for (std::size_t size = 0; size + 2 < text.size(); ++size) {
    const Result<CostModel> cut = CostModel::from_json(text.substr(0, size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().code(), Code::corrupt);
  }
}

TEST(CostModelJson, FieldsThatAreMissingOrOfAnotherTypeAreNamed) {
  const auto message = [](const std::function<void(Json&)>& change) {
    const Result<CostModel> model = read_changed(change);
    if (model) return std::string("no error");
    EXPECT_EQ(model.error().code(), Code::corrupt);
    return std::string(model.error().message());
  };
  EXPECT_EQ(message([](Json& model) { model["memory"][0].erase("node"); }),
            "not a cost model: a field is missing field=memory[0].node");
  EXPECT_EQ(message([](Json& model) { model["quick"] = 1; }), "not a cost model: not true or false field=quick");
  EXPECT_EQ(message([](Json& model) { model["machine"]["kernel"] = 6; }),
            "not a cost model: not a text field=machine.kernel");
  EXPECT_EQ(message([](Json& model) { model["devices"] = "none"; }), "not a cost model: not a list field=devices");
  EXPECT_EQ(message([](Json& model) { model["devices"][0]["link"][1] = 7; }),
            "not a cost model: not an object field=devices[0].link[1]");
  EXPECT_EQ(message([](Json& model) { model["processor"]["hand_over_ns"] = "1"; }),
            "not a cost model: not a number field=processor.hand_over_ns");
  EXPECT_EQ(message([](Json& model) { model["machine"]["cores"] = 1.5; }),
            "not a cost model: not a whole number field=machine.cores");
  EXPECT_EQ(message([](Json& model) { model["memory"][0]["load_latency_ns"] = -1; }),
            "not a cost model: a number that can't be field=memory[0].load_latency_ns");
  EXPECT_EQ(message([](Json& model) { model["memory"][0]["node"] = 1ULL << 40U; }),
            "not a cost model: a number that can't be field=memory[0].node");
}

TEST(CostModelJson, FieldsOfLaterVersionsAreLeftAlone) {
  EXPECT_TRUE(read_changed([](Json& model) { model["memory"][0]["news"] = 1; }));
}

TEST(CostModelJson, AnotherVersionsFormatIsUnsupportedAndOtherJsonIsCorrupt) {
  Json file = Json::parse(example_model().to_json());
  file["schema"] = "gpuio.cost_model/2";
  EXPECT_EQ(CostModel::from_json(file.dump()).error().code(), Code::unsupported);
  for (const char* text : {"", "{}", "[]", "1", "null", "{\"schema\":\"gpuio.cost_model/1\"}", "{\"schema\":7}"}) {
    EXPECT_EQ(CostModel::from_json(text).error().code(), Code::corrupt) << text;
  }
  EXPECT_EQ(CostModel::from_json(example_model().to_json() + '\0').error().code(), Code::corrupt);
}

TEST(CostModelJson, NamesThatAreNotUtf8DoNotEndTheProgram) {
  CostModel model = example_model();
  model.folders[0].folder = "/data/\xff";
  EXPECT_TRUE(CostModel::from_json(model.to_json()));
}

}  // namespace
}  // namespace gpuio::core
