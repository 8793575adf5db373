# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# cmake -D FOLDER=build/gpu/bin -P bundle.cmake   puts the shared libraries that the folder's programs need beside them,
# so that they run on a machine without packages: all but the system's own, the compiler's and CUDA's.
file(GLOB programs "${FOLDER}/bench_gpu" "${FOLDER}/device.*")
file(GET_RUNTIME_DEPENDENCIES EXECUTABLES ${programs}
  RESOLVED_DEPENDENCIES_VAR libraries UNRESOLVED_DEPENDENCIES_VAR elsewhere
  PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|rt|dl|pthread|stdc\\+\\+|gcc_s)\\.so" "^libcu")
foreach(library IN LISTS libraries)
  cmake_path(GET library FILENAME name)
  file(COPY_FILE "${library}" "${FOLDER}/${name}" ONLY_IF_DIFFERENT) # a file, even where that is a link
endforeach()
if(elsewhere)
  message(WARNING "not found: ${elsewhere}")
endif()
