# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBUILT= -DFOLDER= -DCOMPILER= -DGENERATOR= -P run.cmake

function(step)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGN}")
  endif()
endfunction()

file(REMOVE_RECURSE "${FOLDER}/prefix" "${FOLDER}/build")
step("${CMAKE_COMMAND}" --install "${BUILT}" --prefix "${FOLDER}/prefix")
step("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${FOLDER}/build" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}"
  "-DCMAKE_PREFIX_PATH=${FOLDER}/prefix")
step("${CMAKE_COMMAND}" --build "${FOLDER}/build")
foreach(program IN ITEMS reader_static reader_shared)
  step("${FOLDER}/build/${program}" "${SOURCE}/reader.cpp")
endforeach()
