# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What the headers include: Boost (Hana), the CUDA toolkit's headers with CCCL (Thrust), TBB, oneDNN, threads.
# Read both by the project itself and by the installed package, where find_dependency takes find_package's place.
include(CMakeFindDependencyMacro)

macro(attend_find package)
  if(CMAKE_FIND_PACKAGE_NAME STREQUAL "attend")
    find_dependency(${package} ${ARGN})
  else()
    find_package(${package} ${ARGN} REQUIRED)
  endif()
endmacro()

attend_find(Boost 1.74 CONFIG)
attend_find(TBB CONFIG)
attend_find(Threads)
attend_find(OneDNN 2.6 MODULE)
attend_find(CUDAHeaders 13.0 MODULE)
