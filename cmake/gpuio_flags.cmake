# SPDX-License-Identifier: Apache-2.0
# `gpuio_flags`: what every target of ours is compiled with. Users of the installed package see none of it.

add_library(gpuio_flags INTERFACE)
target_include_directories(gpuio_flags INTERFACE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
target_compile_definitions(gpuio_flags INTERFACE
  $<$<BOOL:${GPUIO_PLANTED_BUGS}>:GPUIO_PLANTED_BUGS=1>)
target_compile_options(gpuio_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wimplicit-fallthrough
  $<$<BOOL:${GPUIO_WERROR}>:-Werror>)

# GCC 12 warns of values in a std::variant that it can't follow (GCC bugs 80635 and 105651), more of them the more it
# instruments or inlines; Clang and later versions of GCC check the same code.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(gpuio_flags INTERFACE -Wno-maybe-uninitialized -Wno-restrict)
endif()

# Clang warns of what libstdc++ 12 itself calls inside of std::stable_sort, as if we had; GCC checks what we call.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(gpuio_flags INTERFACE -Wno-deprecated-declarations)
endif()

if(GPUIO_SANITIZE)
  set(gpuio_sanitize -fsanitize=${GPUIO_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_compile_options(gpuio_flags INTERFACE ${gpuio_sanitize})
  target_link_options(gpuio_flags INTERFACE ${gpuio_sanitize})
endif()

if(GPUIO_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "GPUIO_FUZZ needs Clang (libFuzzer); configure with -DCMAKE_CXX_COMPILER=clang++-19")
  endif()
  target_compile_options(gpuio_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(GPUIO_COVERAGE)
  target_compile_options(gpuio_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(gpuio_flags INTERFACE --coverage)
endif()
