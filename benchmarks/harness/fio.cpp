// SPDX-License-Identifier: Apache-2.0
#include "harness/fio.h"

#include <exception>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "harness/child.h"

namespace gpuio::bench {

bool fio_installed() {
  try {
    static_cast<void>(run_program({"fio", "--version"}));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

Sample fio(const FioJob& job) {
  const std::string report = run_program({
      "fio",
      "--name=slice",
      "--output-format=json",
      "--ioengine=io_uring",
      "--fixedbufs=1",
      "--registerfiles=1",
      "--direct=1",
      "--thread=1",
      "--gtod_reduce=1",
      "--norandommap=1",
      "--time_based=1",
      job.huge_pages ? "--mem=mmaphuge" : "--mem=malloc",
      "--filename=" + job.file.string(),
      fmt::format("--rw={}", job.random ? "randread" : "read"),
      fmt::format("--bs={}", job.block_bytes),
      fmt::format("--iodepth={}", job.depth),
      fmt::format("--offset={}", job.offset),
      fmt::format("--runtime={}ms", static_cast<unsigned>(job.seconds * 1e3)),
      fmt::format("--randseed={}", job.seed),
  });
  // fio may print notes before the report.
  const nlohmann::json parsed = nlohmann::json::parse(report.substr(report.find('{')));
  const nlohmann::json& result = parsed.at("jobs").at(0);
  const nlohmann::json& read = result.at("read");
  const double seconds = read.at("runtime").get<double>() * 1e-3;
  const double cpu_percent = result.at("usr_cpu").get<double>() + result.at("sys_cpu").get<double>();
  return {.seconds = seconds,
          .cpu_seconds = cpu_percent * 0.01 * result.at("job_runtime").get<double>() * 1e-3,
          .bytes = read.at("io_bytes"),
          .operations = read.at("total_ios")};
}

}  // namespace gpuio::bench
