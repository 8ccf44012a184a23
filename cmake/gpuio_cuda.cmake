# SPDX-License-Identifier: Apache-2.0
# Finds a CUDA toolkit (13 or later) and compiles .cu files with nvcc by custom commands: CMake 3.25 does not know that
# nvcc takes C++20. Sets GPUIO_CUDA_FOUND; defines dep::cuda (headers and the static runtime) and gpuio_cuda_sources().

set(GPUIO_CUDA_FOUND FALSE)
if(GPUIO_CUDA STREQUAL "OFF")
  return()
endif()

# .deps/cuda is where tools/setup puts the toolkit's wheels when a driver is there and no toolkit is.
find_program(GPUIO_NVCC nvcc
  HINTS "${GPUIO_CUDA_ROOT}" ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda "${PROJECT_SOURCE_DIR}/.deps/cuda"
  PATH_SUFFIXES bin)
if(GPUIO_NVCC)
  get_filename_component(gpuio_cuda_bin "${GPUIO_NVCC}" REALPATH)
  get_filename_component(gpuio_cuda_bin "${gpuio_cuda_bin}" DIRECTORY)
  get_filename_component(gpuio_cuda_home "${gpuio_cuda_bin}" DIRECTORY)
  find_path(GPUIO_CUDA_INCLUDE cuda_runtime.h HINTS "${gpuio_cuda_home}" PATH_SUFFIXES include NO_DEFAULT_PATH)
  find_library(GPUIO_CUDART_STATIC NAMES libcudart_static.a HINTS "${gpuio_cuda_home}"
    PATH_SUFFIXES lib64 lib targets/x86_64-linux/lib NO_DEFAULT_PATH)
endif()
if(NOT (GPUIO_NVCC AND GPUIO_CUDA_INCLUDE AND GPUIO_CUDART_STATIC))
  if(GPUIO_CUDA STREQUAL "ON")
    message(FATAL_ERROR "GPUIO_CUDA=ON but no CUDA toolkit with nvcc, headers and libcudart_static.a was found; "
      "run tools/setup --cuda, or name one with -DGPUIO_CUDA_ROOT=/path")
  endif()
  message(STATUS "CUDA toolkit: none found, building without the CUDA device (tools/setup --cuda gets one)")
  return()
endif()

set(GPUIO_CUDA_FOUND TRUE)
message(STATUS "CUDA toolkit: ${GPUIO_NVCC}")
set(GPUIO_CUDA_ARCHITECTURES "80;90;100" CACHE STRING "Compute capabilities to compile for; the last one also as PTX")

add_library(gpuio_dep_cuda INTERFACE)
add_library(dep::cuda ALIAS gpuio_dep_cuda)
target_include_directories(gpuio_dep_cuda SYSTEM INTERFACE "${GPUIO_CUDA_INCLUDE}")
target_link_libraries(gpuio_dep_cuda INTERFACE "${GPUIO_CUDART_STATIC}" Threads::Threads ${CMAKE_DL_LIBS} rt)

set(GPUIO_NVCC_FLAGS -std=c++20 --expt-relaxed-constexpr -lineinfo
  -I${PROJECT_SOURCE_DIR}/include -I${PROJECT_SOURCE_DIR}/src
  -Xcompiler=-fPIC,-fvisibility=hidden,-Wall,-Wextra)
foreach(arch IN LISTS GPUIO_CUDA_ARCHITECTURES)
  list(APPEND GPUIO_NVCC_FLAGS -gencode=arch=compute_${arch},code=sm_${arch})
endforeach()
list(GET GPUIO_CUDA_ARCHITECTURES -1 gpuio_ptx_arch)
list(APPEND GPUIO_NVCC_FLAGS -gencode=arch=compute_${gpuio_ptx_arch},code=compute_${gpuio_ptx_arch})
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  list(APPEND GPUIO_NVCC_FLAGS -O1 -Xcompiler=-g)
else()
  list(APPEND GPUIO_NVCC_FLAGS -O3 -DNDEBUG)
endif()
if(GPUIO_WERROR)
  list(APPEND GPUIO_NVCC_FLAGS -Werror=all-warnings -Xcompiler=-Werror)
endif()
if(GPUIO_PLANTED_BUGS)
  list(APPEND GPUIO_NVCC_FLAGS -DGPUIO_PLANTED_BUGS=1)
endif()

# gpuio_cuda_sources(<target> <file.cu>...): compiles the files with nvcc and links their objects into the target.
function(gpuio_cuda_sources target)
  foreach(source IN LISTS ARGN)
    get_filename_component(input "${source}" ABSOLUTE)
    file(RELATIVE_PATH relative "${PROJECT_SOURCE_DIR}" "${input}")
    set(object "${PROJECT_BINARY_DIR}/cuda/${relative}.o")
    get_filename_component(folder "${object}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    add_custom_command(OUTPUT "${object}"
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} "${GPUIO_NVCC}" ${GPUIO_NVCC_FLAGS}
              -MD -MF "${object}.d" -c "${input}" -o "${object}"
      DEPENDS "${input}" DEPFILE "${object}.d"
      COMMENT "nvcc ${relative}" VERBATIM)
    set_source_files_properties("${object}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    target_sources(${target} PRIVATE "${object}")
  endforeach()
endfunction()

# gpuio_cuda_plugin(SOURCES <cpp and cu>... [LINK ...] [VERSION_SCRIPT file]): the shared object libgpuio_cuda.so that
# the library loads at run time. It exports what its version script names and nothing else.
function(gpuio_cuda_plugin)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "VERSION_SCRIPT" "SOURCES;LINK")
  set(cuda_sources ${arg_SOURCES})
  list(FILTER cuda_sources INCLUDE REGEX "\\.cu$")
  list(FILTER arg_SOURCES EXCLUDE REGEX "\\.cu$")
  add_library(gpuio_cuda MODULE ${arg_SOURCES})
  gpuio_cuda_sources(gpuio_cuda ${cuda_sources})
  target_link_libraries(gpuio_cuda PRIVATE gpuio_flags dep::cuda ${arg_LINK})
  target_link_options(gpuio_cuda PRIVATE -Wl,--exclude-libs,ALL -Wl,--no-undefined)
  set_target_properties(gpuio_cuda PROPERTIES
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
  install(TARGETS gpuio_cuda LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  if(arg_VERSION_SCRIPT)
    get_filename_component(script "${arg_VERSION_SCRIPT}" ABSOLUTE)
    target_link_options(gpuio_cuda PRIVATE "-Wl,--version-script=${script}")
    set_target_properties(gpuio_cuda PROPERTIES LINK_DEPENDS "${script}")
  endif()
endfunction()
