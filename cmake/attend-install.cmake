# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Install rules: the headers under one include folder, and a package for find_package(attend).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(attend_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/attend")

install(TARGETS attend attend_cuda attend_native EXPORT attend-targets FILE_SET HEADERS)
install(EXPORT attend-targets NAMESPACE attend:: DESTINATION "${attend_package_dir}")
configure_package_config_file(cmake/attend-config.cmake.in attend-config.cmake
  INSTALL_DESTINATION "${attend_package_dir}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(attend-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
  "${PROJECT_BINARY_DIR}/attend-config.cmake"
  "${PROJECT_BINARY_DIR}/attend-config-version.cmake"
  cmake/attend-dependencies.cmake cmake/FindOneDNN.cmake cmake/FindCUDAHeaders.cmake
  DESTINATION "${attend_package_dir}")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
