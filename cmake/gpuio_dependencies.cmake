# SPDX-License-Identifier: Apache-2.0
# Every third-party library, each behind one name `dep::<name>`, so that a room's LINK line says what it uses.
# fmt, spdlog and toml++ are used header-only: distributions ship no static libraries of them.

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(liburing REQUIRED)
find_package(numa REQUIRED)

# Takes include folders from an imported target, as system headers, and nothing else: no compiled library comes along.
function(gpuio_header_dependency name imported)
  add_library(gpuio_dep_${name} INTERFACE)
  add_library(dep::${name} ALIAS gpuio_dep_${name})
  target_include_directories(gpuio_dep_${name} SYSTEM INTERFACE
    $<TARGET_PROPERTY:${imported},INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_definitions(gpuio_dep_${name} INTERFACE ${ARGN})
endfunction()

gpuio_header_dependency(fmt fmt::fmt FMT_HEADER_ONLY=1)
gpuio_header_dependency(spdlog spdlog::spdlog_header_only SPDLOG_FMT_EXTERNAL=1 FMT_HEADER_ONLY=1)
gpuio_header_dependency(toml tomlplusplus::tomlplusplus TOML_HEADER_ONLY=1 TOML_EXCEPTIONS=0)
gpuio_header_dependency(cli11 CLI11::CLI11)
gpuio_header_dependency(json nlohmann_json::nlohmann_json)
add_library(dep::uring ALIAS liburing::liburing)
add_library(dep::numa ALIAS numa::numa)
add_library(dep::threads ALIAS Threads::Threads)

if(GPUIO_TESTS)
  find_package(GTest REQUIRED)
  add_library(dep::gtest ALIAS GTest::gmock)
endif()
if(GPUIO_BENCHMARKS)
  find_package(benchmark REQUIRED)
  add_library(dep::benchmark ALIAS benchmark::benchmark)
endif()
