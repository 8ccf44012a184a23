// SPDX-License-Identifier: Apache-2.0
// `gpuio stat`: what a store is.

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/context_flags.h"
#include "cli/json.h"
#include "cli/source.h"
#include "cli/table.h"
#include "cli/units.h"
#include "gpuio/safetensors.hpp"

namespace gpuio::cli {
namespace {

struct StatOptions {
  ContextFlags context;
  std::vector<std::string> uris;
  bool tensors = false;
};

/// A store, or a model of several.
struct Subject {
  std::string name;
  std::vector<Store> stores;
  std::optional<safetensors::Model> model;
};

Subject look_at(const Context& context, const std::string& uri) {
  std::error_code not_local;
  if (is_model_path(uri) || std::filesystem::is_directory(uri, not_local)) {
    auto model = safetensors::Model::open(context, uri).value();
    std::vector<Store> stores = model.files();
    return {.name = uri, .stores = std::move(stores), .model = std::move(model)};
  }
  return {.name = uri, .stores = {context.open(uri).value()}, .model = {}};
}

std::uint64_t size_of(const Subject& subject) {
  std::uint64_t bytes = 0;
  for (const Store& store : subject.stores) bytes += store.size();
  return bytes;
}

/// None where one of the stores can't tell.
std::optional<std::uint64_t> resident_bytes(const Subject& subject) {
  std::uint64_t bytes = 0;
  for (const Store& store : subject.stores) {
    if (store.size() == 0) continue;
    const auto residency = store.residency(0, store.size());
    if (!residency) return std::nullopt;
    bytes += std::min(residency->resident_bytes, store.size());
  }
  return bytes;
}

std::string shape_text(const safetensors::TensorInfo& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.shape, ", "));
}

/// "101 tensors: 100 f32, 1 i64"
std::string tensor_summary(const safetensors::Model& model) {
  std::map<std::string_view, std::uint64_t> count_of;
  for (const auto& tensor : model.tensors()) ++count_of[to_string(tensor.dtype)];
  std::vector<std::string> parts;
  parts.reserve(count_of.size());
  for (const auto& [dtype, count] : count_of) parts.push_back(fmt::format("{} {}", count, dtype));
  return fmt::format("{}: {}", format_count(model.tensors().size(), "tensor"), fmt::join(parts, ", "));
}

std::string tensor_table(const safetensors::Model& model, const Terminal& out) {
  Table table(
      {{.title = "tensor"}, {.title = "dtype"}, {.title = "shape"}, {.title = "bytes", .align = Table::Align::right}});
  for (const auto& tensor : model.tensors()) {
    table.add_row(
        {tensor.name, std::string(to_string(tensor.dtype)), shape_text(tensor), format_size(tensor.extent.length)});
  }
  return table.render(out);
}

void print_text(const Shell& shell, const Subject& subject, bool tensors) {
  const Terminal& out = shell.out;
  Table facts({{.title = ""}, {.title = ""}});
  const std::uint64_t size = size_of(subject);
  std::string size_text = fmt::format("{} ({} bytes)", format_size(size), size);
  if (subject.stores.size() > 1) size_text += fmt::format(" in {}", format_count(subject.stores.size(), "file"));
  facts.add_row({"  size", size_text});
  if (subject.model) {
    facts.add_row({"  format", "safetensors, " + tensor_summary(*subject.model)});
    for (const auto& [key, value] : subject.model->metadata()) {
      facts.add_row({"  metadata", fmt::format("{} = {}", key, value)});
    }
  } else {
    facts.add_row({"  format", "bytes"});
  }
  const auto resident = resident_bytes(subject);
  if (resident && size > 0) {
    const double part = static_cast<double>(*resident) / static_cast<double>(size);
    facts.add_row({"  in memory", fmt::format("{} ({})", format_size(*resident), format_percent(part))});
  }
  if (!subject.stores.empty()) {
    const Store& first = subject.stores.front();
    facts.add_row({"  tier", std::string(first.tier())});
    facts.add_row({"  engine", fmt::format("{}: {}", first.engine(), first.explain())});
  }
  shell.print(out.paint(subject.name, Style::bold) + "\n" + facts.render(out));
  if (tensors && subject.model) shell.print("\n" + tensor_table(*subject.model, out));
}

Json json_of(const Subject& subject) {
  const auto resident = resident_bytes(subject);
  Json stores = Json::array();
  for (const Store& store : subject.stores) {
    stores.push_back({{"uri", store.uri()},
                      {"engine", store.engine()},
                      {"tier", store.tier()},
                      {"bytes", store.size()},
                      {"explain", store.explain()}});
  }
  Json tensors;
  Json metadata;
  if (subject.model) {
    tensors = Json::array();
    metadata = subject.model->metadata();
    for (const auto& tensor : subject.model->tensors()) {
      tensors.push_back({{"name", tensor.name},
                         {"dtype", to_string(tensor.dtype)},
                         {"shape", tensor.shape},
                         {"bytes", tensor.extent.length},
                         {"file", tensor.file},
                         {"offset", tensor.extent.offset}});
    }
  }
  return {{"name", subject.name},      {"format", subject.model ? "safetensors" : "bytes"},
          {"bytes", size_of(subject)}, {"resident_bytes", resident ? Json(*resident) : Json()},
          {"stores", stores},          {"metadata", metadata},
          {"tensors", tensors}};
}

ExitCode stat(const Shell& shell, const StatOptions& options, bool json) {
  const Context context = options.context.open();
  Json list = Json::array();
  for (const std::string& uri : options.uris) {
    const Subject subject = look_at(context, uri);
    if (json) {
      list.push_back(json_of(subject));
    } else {
      print_text(shell, subject, options.tensors);
    }
  }
  if (json) print_json(shell, {{"schema", "gpuio.stat/1"}, {"subjects", list}});
  return ExitCode::ok;
}

}  // namespace

void add_stat(CLI::App& root, Command& chosen) {
  const auto options = std::make_shared<StatOptions>();
  CLI::App* app = root.add_subcommand("stat", "Say what a store is: size, format, tensors, how much is in memory");
  app->add_option("URI", options->uris, "URIs or paths; a folder or an index is one model")->required()->type_name("");
  app->add_flag("--tensors", options->tensors, "List every tensor");
  add_context_flags(*app, options->context);
  add_json(*app, chosen);
  add_examples(*app,
               {{"gpuio stat model.safetensors --tensors", "names, types and shapes"},
                {"gpuio stat data.bin --json | jq '.subjects[0].resident_bytes'", "how much the page cache holds"}});
  app->callback([options, &chosen] {
    chosen.run = [options, &chosen](const Shell& shell) { return stat(shell, *options, chosen.json); };
  });
}

}  // namespace gpuio::cli
