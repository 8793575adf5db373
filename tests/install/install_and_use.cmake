# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Installs the build folder BUILD below WORK, and there configures, builds and runs the consumer with PROGRAM,
# quickstart.cpp, as its source. Nothing of an earlier run is removed, so that what has not changed is not built again.
function(step what)
  message(STATUS "${what}")
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "FAILED: ${what}")
  endif()
endfunction()

step("Installing" "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/prefix")
file(COPY_FILE "${CONSUMER}/CMakeLists.txt" "${WORK}/consumer/CMakeLists.txt" ONLY_IF_DIFFERENT)
cmake_path(GET PROGRAM PARENT_PATH examples)
file(GLOB files "${PROGRAM}" "${examples}/*.hpp")
foreach(file IN LISTS files)
  cmake_path(GET file FILENAME name)
  file(COPY_FILE "${file}" "${WORK}/consumer/${name}" ONLY_IF_DIFFERENT)
endforeach()
step("Configuring the consumer" "${CMAKE_COMMAND}" -S "${WORK}/consumer" -B "${WORK}/build" -G "${GENERATOR}"
  "-DCMAKE_PREFIX_PATH=${WORK}/prefix" -DCMAKE_BUILD_TYPE=Release
  "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}")
step("Building the consumer" "${CMAKE_COMMAND}" --build "${WORK}/build")
step("Running the consumer" "${WORK}/build/quickstart")
