# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Finds oneDNN by its header and library and defines attend::onednn. (The library's own package asks for OpenCL's
# development files where it was built with a GPU runtime, which nothing here uses.)
include(FindPackageHandleStandardArgs)
find_path(OneDNN_INCLUDE_DIR dnnl.hpp)
find_library(OneDNN_LIBRARY dnnl)
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)

if(OneDNN_INCLUDE_DIR)
  foreach(part MAJOR MINOR PATCH)
    file(STRINGS "${OneDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h" OneDNN_line REGEX "#define DNNL_VERSION_${part} ")
    string(REGEX MATCH "[0-9]+" OneDNN_VERSION_${part} "${OneDNN_line}")
  endforeach()
  set(OneDNN_VERSION "${OneDNN_VERSION_MAJOR}.${OneDNN_VERSION_MINOR}.${OneDNN_VERSION_PATCH}")
endif()

# Headers of one version and a library of another would be found out at run time.
set(OneDNN_reason "Debian's package is libdnnl-dev.")
set(OneDNN_versions_agree TRUE)
if(OneDNN_INCLUDE_DIR AND OneDNN_LIBRARY)
  file(REAL_PATH "${OneDNN_LIBRARY}" OneDNN_file)
  if(OneDNN_file MATCHES "\\.so\\.([0-9]+)" AND NOT CMAKE_MATCH_1 STREQUAL OneDNN_VERSION_MAJOR)
    set(OneDNN_versions_agree FALSE)
    set(OneDNN_reason "${OneDNN_file} is not of version ${OneDNN_VERSION}, as the headers in ${OneDNN_INCLUDE_DIR} are.")
  endif()
endif()

find_package_handle_standard_args(OneDNN
  REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR OneDNN_versions_agree VERSION_VAR OneDNN_VERSION
  REASON_FAILURE_MESSAGE "${OneDNN_reason}")

if(OneDNN_FOUND AND NOT TARGET attend::onednn)
  add_library(attend::onednn UNKNOWN IMPORTED)
  set_target_properties(attend::onednn PROPERTIES
    IMPORTED_LOCATION "${OneDNN_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${OneDNN_INCLUDE_DIR}")
endif()
