# SPDX-License-Identifier: Apache-2.0
# Makes the library of the rooms: `gpuio::gpuio` (static) and `gpuio::shared`, and installs them as a CMake package.
# GPUIO_PORTABLE leaves out the shared one: the static libnuma that distributions ship carries the symbol versions of
# its shared self (libnuma_1.1, libnuma_1.2), which no other shared library can define without offering them to all.

include(CMakePackageConfigHelpers)

function(gpuio_library_properties target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:gpuio_flags> liburing::liburing numa::numa
    Threads::Threads ${CMAKE_DL_LIBS})
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME gpuio
    ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib"
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
endfunction()

# gpuio_library(VERSION_SCRIPT <file>): called once, by src/assembly, after all rooms are known.
function(gpuio_library)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "VERSION_SCRIPT" "")
  get_property(rooms GLOBAL PROPERTY GPUIO_ROOMS)
  foreach(room IN LISTS rooms)
    list(APPEND objects $<TARGET_OBJECTS:${room}>)
  endforeach()

  add_library(gpuio STATIC ${objects})
  add_library(gpuio::gpuio ALIAS gpuio)
  set_target_properties(gpuio PROPERTIES EXPORT_NAME gpuio LINKER_LANGUAGE CXX)
  gpuio_library_properties(gpuio)

  if(NOT GPUIO_PORTABLE)
    gpuio_shared_library("${arg_VERSION_SCRIPT}" ${objects})
  endif()
  gpuio_install()
endfunction()

function(gpuio_shared_library version_script)
  get_filename_component(script "${version_script}" ABSOLUTE)
  add_library(gpuio_shared SHARED ${ARGN})
  add_library(gpuio::shared ALIAS gpuio_shared)
  set_target_properties(gpuio_shared PROPERTIES EXPORT_NAME shared LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} LINK_DEPENDS "${script}")
  gpuio_library_properties(gpuio_shared)
  target_link_options(gpuio_shared PRIVATE "-Wl,--version-script=${script}" -Wl,--exclude-libs,ALL)
endfunction()

function(gpuio_install)
  set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/gpuio")
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/gpuio" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  install(TARGETS gpuio EXPORT gpuio_targets)
  if(TARGET gpuio_shared)
    install(TARGETS gpuio_shared EXPORT gpuio_targets)
  endif()
  install(EXPORT gpuio_targets NAMESPACE gpuio:: FILE gpuio_targets.cmake DESTINATION "${package_dir}")
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/gpuio-config.cmake.in"
    "${PROJECT_BINARY_DIR}/gpuio-config.cmake" INSTALL_DESTINATION "${package_dir}")
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/gpuio-config-version.cmake" COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/gpuio-config.cmake" "${PROJECT_BINARY_DIR}/gpuio-config-version.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/Findliburing.cmake" "${PROJECT_SOURCE_DIR}/cmake/Findnuma.cmake"
    DESTINATION "${package_dir}")
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
endfunction()
