# SPDX-License-Identifier: Apache-2.0
# Language level and the tools that make builds fast: a compiler cache and a fast linker, used where present.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(GPUIO_CCACHE ccache)
if(GPUIO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${GPUIO_CCACHE}")
endif()

find_program(GPUIO_MOLD mold)
find_program(GPUIO_LLD NAMES ld.lld ld.lld-19)
if(GPUIO_MOLD)
  add_link_options(-fuse-ld=mold)
elseif(GPUIO_LLD)
  # The versioned name is what a distribution installs without the unversioned symlink.
  get_filename_component(gpuio_lld_name "${GPUIO_LLD}" NAME)
  string(REPLACE "ld.lld" "lld" gpuio_lld_name "${gpuio_lld_name}")
  add_link_options(-fuse-ld=${gpuio_lld_name})
endif()
