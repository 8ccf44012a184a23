// SPDX-License-Identifier: Apache-2.0
#include "harness/child.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/unique_fd.h"

namespace gpuio::bench {
namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
  base::UniqueFd reading;
  base::UniqueFd writing;
};

pid_t spawn(const Arguments& arguments, int input, int output) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), arguments.front());
  return pid;
}

}  // namespace

Child::Child(const Arguments& arguments) : name_(arguments.front()) {
  Pipe to;
  Pipe from;
  pid_ = spawn(arguments, to.reading.get(), from.writing.get());
  in_ = File(::fdopen(to.writing.release(), "w"), std::fclose);
  out_ = File(::fdopen(from.reading.release(), "r"), std::fclose);
}

Child::~Child() {
  in_.reset();
  if (pid_ >= 0) ::waitpid(pid_, nullptr, 0);
}

void Child::write_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), in_.get());
  std::fputc('\n', in_.get());
  if (std::fflush(in_.get()) != 0) throw std::system_error(errno, std::generic_category(), name_ + " ended early");
}

std::string Child::read_line() {
  std::string line;
  for (int c = 0; (c = std::fgetc(out_.get())) != '\n'; line.push_back(static_cast<char>(c))) {
    if (c == EOF) throw std::runtime_error(name_ + " ended early");
  }
  return line;
}

std::string Child::read_all() {
  std::string text;
  for (int c = 0; (c = std::fgetc(out_.get())) != EOF;) text.push_back(static_cast<char>(c));
  return text;
}

void Child::finish() {
  in_.reset();
  int status = 0;
  if (::waitpid(std::exchange(pid_, -1), &status, 0) < 0 || status != 0) {
    throw std::runtime_error(name_ + " failed with status " + std::to_string(status));
  }
}

std::string run_program(const Arguments& arguments) {
  Child child(arguments);
  std::string text = child.read_all();
  child.finish();
  return text;
}

Sample Peer::sample(std::string_view request) {
  child_.write_line(request);
  const nlohmann::json answer = nlohmann::json::parse(child_.read_line());
  if (answer.contains("error")) throw std::runtime_error(answer["error"].get<std::string>());
  return {.seconds = answer.at("seconds"),
          .cpu_seconds = answer.at("cpu_seconds"),
          .bytes = answer.value("bytes", std::uint64_t{0}),
          .operations = answer.value("operations", std::uint64_t{0})};
}

}  // namespace gpuio::bench
