// SPDX-License-Identifier: Apache-2.0
// `gpuio pool`: makes a shared pool of named objects in a Store, shows what is in one, and checks all of it.

#include "gpuio/pool.hpp"

#include <memory>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/context_flags.h"
#include "cli/json.h"
#include "cli/table.h"
#include "cli/units.h"
#include "gpuio/map.hpp"

namespace gpuio::cli {
namespace {

constexpr double kNsPerSecond = 1e9;

/// What all commands of a pool are given.
struct PoolPlace {
  ContextFlags context;
  std::string uri;

  /// The Store as memory.
  [[nodiscard]] Buffer map(const OpenOptions& how) const {
    const Context io = context.open();
    const Store store = io.open(uri, how).value();
    const MapAccess access = how.mode == OpenMode::read ? MapAccess::read : MapAccess::read_write;
    return io.map(store, {.access = access}).value();
  }
};

struct CreateOptions {
  PoolPlace place;
  std::uint64_t size_bytes = 0;
  PoolOptions pool;
  bool not_coherent = false;
  double lease_s = 10;
};

std::string_view to_string(PoolMemberInfo::State state) {
  switch (state) {
    case PoolMemberInfo::State::never:
      return "never";
    case PoolMemberInfo::State::active:
      return "active";
    case PoolMemberInfo::State::left:
      return "left";
    case PoolMemberInfo::State::unreadable:
      return "unreadable";
  }
  return "";
}

std::string uuid_text(const PoolInfo& info) { return fmt::format("{:02x}", fmt::join(info.uuid, "")); }

Json json_of(const PoolInfo& info) {
  return {{"uuid", uuid_text(info)},
          {"pool_bytes", info.pool_bytes},
          {"data_bytes", info.data_bytes},
          {"block_bytes", info.block_bytes},
          {"chunk_bytes", info.chunk_bytes},
          {"members_max", info.members_max},
          {"objects_per_member_max", info.objects_per_member_max},
          {"lease_ns", info.lease_ns},
          {"coherent", info.coherent},
          {"flushes_by", info.flushes_by}};
}

std::string facts_of(const PoolInfo& info, const std::string& uri, const Terminal& out) {
  Table facts({{.title = ""}, {.title = ""}});
  facts.add_row({"  size", fmt::format("{}, of which objects may fill {}", format_size(info.pool_bytes),
                                       format_size(info.data_bytes))});
  facts.add_row(
      {"  members", fmt::format("at most {}, of {} objects each", info.members_max, info.objects_per_member_max)});
  facts.add_row(
      {"  blocks", fmt::format("{}, taken {} at once", format_size(info.block_bytes), format_size(info.chunk_bytes))});
  facts.add_row({"  lease", format_seconds(static_cast<double>(info.lease_ns) / kNsPerSecond)});
  facts.add_row({"  coherent", info.coherent ? "yes: one host, or hardware that keeps caches alike"
                                             : fmt::format("no: lines are flushed by {}", info.flushes_by)});
  facts.add_row({"  uuid", uuid_text(info)});
  return out.paint(uri, Style::bold) + "\n" + facts.render(out);
}

/// Ranks that somebody has held; the others have nothing to show.
std::string members_table(const std::vector<PoolMemberInfo>& members, const Terminal& out) {
  Table table({{.title = "rank", .align = Table::Align::right},
               {.title = "state"},
               {.title = "holders so far", .align = Table::Align::right},
               {.title = "objects", .align = Table::Align::right},
               {.title = "uses", .align = Table::Align::right}});
  for (const PoolMemberInfo& member : members) {
    if (member.state == PoolMemberInfo::State::never) continue;
    table.add_row({fmt::format("{}", member.rank), std::string(to_string(member.state)),
                   fmt::format("{}", member.incarnation), fmt::format("{}", member.objects),
                   format_size(member.used_bytes)});
  }
  return table.empty() ? "" : "\n" + table.render(out);
}

std::string objects_table(const std::vector<PoolObjectInfo>& objects, const Terminal& out) {
  Table table({{.title = "object"},
               {.title = "bytes", .align = Table::Align::right},
               {.title = "rank", .align = Table::Align::right}});
  for (const PoolObjectInfo& object : objects) {
    table.add_row({object.name, format_size(object.bytes), fmt::format("{}", object.rank)});
  }
  return table.empty() ? "" : "\n" + table.render(out);
}

ExitCode create(const Shell& shell, const CreateOptions& options, bool json) {
  const OpenMode mode = options.size_bytes > 0 ? OpenMode::create : OpenMode::write;
  const Buffer memory = options.place.map({.mode = mode, .size_bytes = options.size_bytes});
  PoolOptions layout = options.pool;
  layout.coherent = !options.not_coherent;
  layout.lease_ns = static_cast<std::uint64_t>(options.lease_s * kNsPerSecond);
  const Pool pool = Pool::create(memory, layout).value();
  if (json) {
    print_json(shell, {{"schema", "gpuio.pool-create/1"}, {"uri", options.place.uri}, {"pool", json_of(pool.info())}});
  } else {
    shell.print(facts_of(pool.info(), options.place.uri, shell.out));
  }
  return ExitCode::ok;
}

ExitCode show(const Shell& shell, const PoolPlace& place, bool with_objects, bool json) {
  const Pool pool = Pool::open(place.map({})).value();
  const std::vector<PoolMemberInfo> members = pool.members();
  const std::vector<PoolObjectInfo> objects = with_objects ? pool.objects() : std::vector<PoolObjectInfo>();
  if (!json) {
    shell.print(facts_of(pool.info(), place.uri, shell.out) + members_table(members, shell.out) +
                objects_table(objects, shell.out));
    return ExitCode::ok;
  }
  Json ranks = Json::array();
  for (const PoolMemberInfo& member : members) {
    ranks.push_back({{"rank", member.rank},
                     {"state", to_string(member.state)},
                     {"incarnation", member.incarnation},
                     {"beats", member.beats},
                     {"objects", member.objects},
                     {"used_bytes", member.used_bytes},
                     {"chunks", member.chunks}});
  }
  Json names = Json::array();
  for (const PoolObjectInfo& object : objects) {
    names.push_back(
        {{"name", object.name}, {"bytes", object.bytes}, {"rank", object.rank}, {"incarnation", object.incarnation}});
  }
  print_json(shell, {{"schema", "gpuio.pool/1"},
                     {"uri", place.uri},
                     {"pool", json_of(pool.info())},
                     {"members", ranks},
                     {"objects", with_objects ? names : Json()}});
  return ExitCode::ok;
}

ExitCode check(const Shell& shell, const PoolPlace& place, bool json) {
  const PoolReport report = Pool::open(place.map({})).value().verify();
  if (json) {
    print_json(shell, {{"schema", "gpuio.pool-check/1"},
                       {"uri", place.uri},
                       {"ok", report.findings.empty()},
                       {"objects", report.objects},
                       {"object_bytes", report.object_bytes},
                       {"unfinished", report.unfinished},
                       {"findings", report.findings}});
  } else {
    for (const std::string& finding : report.findings) shell.print(shell.out.paint(finding, Style::red) + "\n");
    shell.print(fmt::format("{}: {}, {} of {} checked", place.uri,
                            report.findings.empty() ? "ok" : format_count(report.findings.size(), "finding"),
                            format_size(report.object_bytes), format_count(report.objects, "object")) +
                (report.unfinished > 0 ? fmt::format(", {} unfinished", report.unfinished) : "") + "\n");
  }
  return report.findings.empty() ? ExitCode::ok : ExitCode::verification;
}

void add_place(CLI::App& app, PoolPlace& place) {
  app.add_option("URI", place.uri, "A dax device, a file or named memory that all members open")
      ->required()
      ->type_name("");
  add_context_flags(app, place.context);
}

void add_create(CLI::App& pool, Command& chosen) {
  const auto options = std::make_shared<CreateOptions>();
  CLI::App* app = pool.add_subcommand("create", "Make a pool; nobody else may use the memory meanwhile");
  add_place(*app, options->place);
  app->add_option("--size", options->size_bytes, "Make or lengthen what URI names; without it, it must exist")
      ->transform(CLI::AsSizeValue(true).description(""))
      ->type_name("SIZE");
  app->add_option("--members", options->pool.members_max, "Ranks; a look-up reads a line of each")
      ->capture_default_str();
  app->add_option("--objects", options->pool.objects_per_member_max, "At most, of each member; a power of two")
      ->capture_default_str();
  app->add_option("--block", options->pool.block_bytes, "What objects are rounded up to; a power of two")
      ->transform(CLI::AsSizeValue(true).description(""))
      ->type_name("SIZE")
      ->capture_default_str();
  app->add_option("--lease", options->lease_s, "After how long a silent member is taken for dead")
      ->check(CLI::Range(1e-3, 1e6).description(""))
      ->type_name("SECONDS")
      ->capture_default_str();
  app->add_flag("--not-coherent", options->not_coherent, "Hosts on one CXL 2 device: lines are flushed");
  app->add_flag("--overwrite", options->pool.overwrite, "Also where there is a pool: its objects are lost");
  add_json(*app, chosen);
  add_examples(*app, {{"gpuio pool create cxl:///dev/dax0.0 --members 4 --not-coherent", "hosts on a CXL 2 device"},
                      {"gpuio pool create 'mem://dram?name=kv' --size 16GiB", "processes of this machine"}});
  app->callback([options, &chosen] {
    chosen.run = [options, &chosen](const Shell& shell) { return create(shell, *options, chosen.json); };
  });
}

void add_show(CLI::App& pool, Command& chosen) {
  struct Options {
    PoolPlace place;
    bool objects = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* app = pool.add_subcommand("show", "Print how a pool is laid out and who its members are");
  add_place(*app, options->place);
  app->add_flag("--objects", options->objects, "List every object");
  add_json(*app, chosen);
  add_examples(*app, {{"gpuio pool show 'mem://dram?name=kv' --objects", "names, sizes, whose they are"}});
  app->callback([options, &chosen] {
    chosen.run = [options, &chosen](const Shell& shell) {
      return show(shell, options->place, options->objects, chosen.json);
    };
  });
}

void add_check(CLI::App& pool, Command& chosen) {
  const auto place = std::make_shared<PoolPlace>();
  CLI::App* app = pool.add_subcommand("check", "Read all of a pool and check it: lines, names, space, checksums");
  add_place(*app, *place);
  add_json(*app, chosen);
  add_examples(*app, {{"gpuio pool check cxl:///dev/dax0.0", "exit code 3 and a line for each finding"}});
  app->callback([place, &chosen] {
    chosen.run = [place, &chosen](const Shell& shell) { return check(shell, *place, chosen.json); };
  });
}

}  // namespace

void add_pool(CLI::App& root, Command& chosen) {
  CLI::App* app = root.add_subcommand("pool", "Make, show or check a pool of objects that hosts or processes share");
  app->require_subcommand(1);
  add_create(*app, chosen);
  add_show(*app, chosen);
  add_check(*app, chosen);
}

}  // namespace gpuio::cli
