# SPDX-License-Identifier: Apache-2.0
# How a room is built: gpuio_room (library + its tests + its fuzz targets), gpuio_program, gpuio_test.

include(GoogleTest)

# The static libraries of all rooms; src/assembly makes the library `gpuio` of them.
define_property(GLOBAL PROPERTY GPUIO_ROOMS)

add_custom_target(unit_tests COMMENT "the tests that stand beside the code")
add_custom_target(gpu_tests COMMENT "the tests that need a GPU")

# gpuio_test(<name> SOURCES ... [LINK ...] [LABELS ...] [TIMEOUT seconds] [SERIAL])
#
# One executable of GoogleTest cases, each registered with ctest under the given labels (default: unit).
# TIMEOUT: four times as long under a sanitizer (default: 120 seconds).
# SERIAL: its cases never run beside other tests, for those that measure time or fill the machine.
# GPU_CASES: a filter of GoogleTest; those of its cases have the label gpu in place of the others.
function(gpuio_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "TIMEOUT;GPU_CASES" "SOURCES;LINK;LABELS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "gpuio_test(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(GPUIO_SANITIZE)
    math(EXPR arg_TIMEOUT "4 * ${arg_TIMEOUT}")
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE gpuio_flags ${arg_LINK} GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin/tests")
  foreach(label IN ITEMS unit gpu)
    if(label IN_LIST arg_LABELS OR (label STREQUAL gpu AND arg_GPU_CASES))
      add_dependencies(${label}_tests ${name})
    endif()
  endforeach()
  # A model of this machine's costs that somebody keeps in his own folder is to change no test.
  # PRE_TEST: listing runs at ctest time, so a build never executes what it built.
  # NO_PRETTY_VALUES: the names that tests give their parameters are enough, and the bytes of one hold addresses.
  set(options DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60 NO_PRETTY_VALUES
    PROPERTIES TIMEOUT ${arg_TIMEOUT} RUN_SERIAL $<BOOL:${arg_SERIAL}>
    ENVIRONMENT "XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/no_cache")
  if(arg_GPU_CASES)
    gtest_discover_tests(${name} TEST_FILTER "-${arg_GPU_CASES}" ${options} LABELS "${arg_LABELS}")
    gtest_discover_tests(${name} TEST_FILTER "${arg_GPU_CASES}" ${options} LABELS gpu)
  else()
    gtest_discover_tests(${name} ${options} LABELS "${arg_LABELS}")
  endif()
endfunction()

add_custom_target(fuzzers COMMENT "libFuzzer targets, in bin/fuzz")

# gpuio_fuzz(<name> SOURCE <file> [LINK ...])
#
# A libFuzzer target `<name>` with its corpus in tests/corpus/<name>. Without GPUIO_FUZZ the same source is linked to
# a main that replays the corpus, and ctest runs that: an input that once broke a parser is tried by every compiler.
function(gpuio_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SOURCE" "LINK")
  set(corpus "${PROJECT_SOURCE_DIR}/tests/corpus/${name}")
  if(GPUIO_FUZZ)
    add_executable(${name} ${arg_SOURCE})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin/fuzz")
    add_dependencies(fuzzers ${name})
  else()
    add_executable(${name} ${arg_SOURCE} "${PROJECT_SOURCE_DIR}/tests/replay_corpus.cpp")
    add_dependencies(unit_tests ${name})
    add_test(NAME ${name}.replay COMMAND ${name} "${corpus}")
    set_tests_properties(${name}.replay PROPERTIES LABELS "unit;fuzz" TIMEOUT 120)
  endif()
  target_link_libraries(${name} PRIVATE gpuio_flags ${arg_LINK})
endfunction()

# gpuio_room(<name> SOURCES ... [LINK ...] [TESTS ...] [TEST_LINK ...] [TEST_LABELS ...] [FUZZ ...])
#
# The static library `gpuio_<name>`, the test executable `<name>_test`, and for `x_fuzz.cpp` the fuzz target `x_fuzz`.
# LINK: rooms of lower floors (`gpuio_base`) and dependencies (`dep::fmt`); TEST_LINK: what only the tests need.
function(gpuio_room name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK;TESTS;TEST_LINK;TEST_LABELS;FUZZ")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "gpuio_room(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(library gpuio_${name})
  add_library(${library} STATIC ${arg_SOURCES})
  target_link_libraries(${library} PUBLIC $<BUILD_INTERFACE:gpuio_flags> ${arg_LINK})
  set_target_properties(${library} PROPERTIES ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/rooms")
  set_property(GLOBAL APPEND PROPERTY GPUIO_ROOMS ${library})

  if(GPUIO_TESTS AND arg_TESTS)
    gpuio_test(${name}_test SOURCES ${arg_TESTS} LINK ${library} ${arg_TEST_LINK} LABELS unit ${arg_TEST_LABELS})
  endif()
  if(GPUIO_TESTS OR GPUIO_FUZZ)
    foreach(source IN LISTS arg_FUZZ)
      get_filename_component(target "${source}" NAME_WE)
      gpuio_fuzz(${target} SOURCE ${source} LINK ${library})
    endforeach()
  endif()
endfunction()

# gpuio_program(<name> SOURCES ... [LINK ...] [INSTALL]): an executable in bin/, installed if asked for.
function(gpuio_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "INSTALL" "" "SOURCES;LINK")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE gpuio_flags ${arg_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  if(arg_INSTALL)
    install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  endif()
endfunction()
