# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# How the project's own programs are compiled: for this machine, and with warnings as errors.
add_library(attend_developer INTERFACE)
target_link_libraries(attend_developer INTERFACE attend::attend attend::native)
set(CMAKE_CXX_EXTENSIONS OFF)
target_compile_options(attend_developer INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Werror>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20;-Xcompiler=-Wall,-Wextra;-Werror=all-warnings>")

# attend_program(name sources...): an executable that follows the rules above.
function(attend_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE attend_developer)
endfunction()
