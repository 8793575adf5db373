# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Finds the CUDA toolkit's headers (cuda_bf16.h, cuda_fp16.h) with CCCL (Thrust), and nvcc where it is there.
# Defines attend::cuda_headers, CUDAHeaders_ROOT and ATTEND_NVCC (empty without nvcc); and attend::cublaslt, the toolkit's
# library of matrix products, which links nothing where the toolkit lacks it.
#
# ATTEND_CUDA_ROOT names the toolkit's folder. Without it, in this order: CUDA_PATH, CUDA_HOME, nvcc on the PATH,
# /usr/local/cuda, and last the wheels fetched into the build folder, which attend-fetch.cmake brings.
# ATTEND_CUDA_ROOT=wheels goes straight to the wheels.
include(FindPackageHandleStandardArgs)
set(ATTEND_CUDA_ROOT "" CACHE STRING "Folder of the CUDA toolkit, or 'wheels'")

# Sets `version` to that of the toolkit at `root`, or to nothing if the headers are not all there.
function(_attend_cuda_version root version)
  set(${version} "" PARENT_SCOPE)
  if(EXISTS "${root}/include/cuda.h" AND EXISTS "${root}/include/cuda_bf16.h"
     AND EXISTS "${root}/include/cccl/thrust/version.h")
    file(STRINGS "${root}/include/cuda.h" line REGEX "#define CUDA_VERSION [0-9]+")
    if(line MATCHES "([0-9]+)")
      math(EXPR major "${CMAKE_MATCH_1} / 1000")
      math(EXPR minor "${CMAKE_MATCH_1} % 1000 / 10")
      set(${version} "${major}.${minor}" PARENT_SCOPE)
    endif()
  endif()
endfunction()

set(_wheels "")
if(COMMAND attend_cuda_wheels)
  attend_cuda_wheels(_wheels ONLY_IF_PRESENT)
endif()
if(ATTEND_CUDA_ROOT AND NOT ATTEND_CUDA_ROOT STREQUAL "wheels")
  set(_roots "${ATTEND_CUDA_ROOT}")
elseif(ATTEND_CUDA_ROOT STREQUAL "wheels")
  set(_roots "${_wheels}")
else()
  find_program(_attend_nvcc_on_path nvcc NO_CACHE)
  set(_roots "$ENV{CUDA_PATH}" "$ENV{CUDA_HOME}")
  if(_attend_nvcc_on_path)
    file(REAL_PATH "${_attend_nvcc_on_path}" _nvcc)
    cmake_path(GET _nvcc PARENT_PATH _nvcc)
    cmake_path(GET _nvcc PARENT_PATH _nvcc)
    list(APPEND _roots "${_nvcc}")
  endif()
  list(APPEND _roots /usr/local/cuda "${_attend_cuda_built_with}" "${_wheels}")
endif()

set(CUDAHeaders_ROOT "")
foreach(_root IN LISTS _roots)
  _attend_cuda_version("${_root}" CUDAHeaders_VERSION)
  if(CUDAHeaders_VERSION AND NOT CUDAHeaders_VERSION VERSION_LESS "${CUDAHeaders_FIND_VERSION}")
    set(CUDAHeaders_ROOT "${_root}")
    break()
  endif()
endforeach()

if(NOT CUDAHeaders_ROOT AND COMMAND attend_cuda_wheels
   AND (NOT ATTEND_CUDA_ROOT OR ATTEND_CUDA_ROOT STREQUAL "wheels"))
  attend_cuda_wheels(CUDAHeaders_ROOT)
  _attend_cuda_version("${CUDAHeaders_ROOT}" CUDAHeaders_VERSION)
endif()

set(ATTEND_NVCC "")
if(EXISTS "${CUDAHeaders_ROOT}/bin/nvcc")
  set(ATTEND_NVCC "${CUDAHeaders_ROOT}/bin/nvcc")
endif()

find_package_handle_standard_args(CUDAHeaders
  REQUIRED_VARS CUDAHeaders_ROOT VERSION_VAR CUDAHeaders_VERSION
  REASON_FAILURE_MESSAGE "Set ATTEND_CUDA_ROOT to a toolkit that has include/cuda_bf16.h and include/cccl/thrust.")

if(CUDAHeaders_FOUND AND NOT TARGET attend::cuda_headers)
  add_library(attend::cuda_headers INTERFACE IMPORTED)
  # nvcc brings its own.
  set_target_properties(attend::cuda_headers PROPERTIES INTERFACE_INCLUDE_DIRECTORIES
    "$<$<COMPILE_LANGUAGE:CXX>:${CUDAHeaders_ROOT}/include;${CUDAHeaders_ROOT}/include/cccl>")
endif()

if(CUDAHeaders_FOUND AND NOT TARGET attend::cublaslt)
  set(_roots "${CUDAHeaders_ROOT}")
  if(ATTEND_CUDA AND COMMAND attend_cublas_wheel AND NOT EXISTS "${CUDAHeaders_ROOT}/include/cublasLt.h")
    attend_cublas_wheel(_roots)
  endif()
  find_library(ATTEND_CUBLASLT NAMES cublasLt libcublasLt.so.13 HINTS ${_roots} PATH_SUFFIXES lib64 lib NO_DEFAULT_PATH)
  add_library(attend::cublaslt INTERFACE IMPORTED)
  if(ATTEND_CUBLASLT)
    set_target_properties(attend::cublaslt PROPERTIES INTERFACE_LINK_LIBRARIES "${ATTEND_CUBLASLT}")
  endif()
  if(_roots AND NOT _roots STREQUAL CUDAHeaders_ROOT)
    set_target_properties(attend::cublaslt PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_roots}/include")
  endif()
endif()
