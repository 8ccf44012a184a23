# SPDX-License-Identifier: Apache-2.0
# numa ships pkg-config files only. Defines numa::numa; the static library where GPUIO_PORTABLE asks for it.

find_path(numa_INCLUDE_DIR numa.h)
if(GPUIO_PORTABLE)
  find_library(numa_LIBRARY NAMES libnuma.a)
else()
  find_library(numa_LIBRARY NAMES numa)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(numa REQUIRED_VARS numa_LIBRARY numa_INCLUDE_DIR)
mark_as_advanced(numa_INCLUDE_DIR numa_LIBRARY)

if(numa_FOUND AND NOT TARGET numa::numa)
  add_library(numa::numa UNKNOWN IMPORTED GLOBAL)
  set_target_properties(numa::numa PROPERTIES
    IMPORTED_LOCATION "${numa_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${numa_INCLUDE_DIR}")
endif()
