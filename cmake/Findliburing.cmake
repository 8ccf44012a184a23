# SPDX-License-Identifier: Apache-2.0
# liburing ships pkg-config files only. Defines liburing::liburing; the static library where GPUIO_PORTABLE asks for it.

find_path(liburing_INCLUDE_DIR liburing.h)
if(GPUIO_PORTABLE)
  find_library(liburing_LIBRARY NAMES liburing.a)
else()
  find_library(liburing_LIBRARY NAMES uring)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(liburing REQUIRED_VARS liburing_LIBRARY liburing_INCLUDE_DIR)
mark_as_advanced(liburing_INCLUDE_DIR liburing_LIBRARY)

if(liburing_FOUND AND NOT TARGET liburing::liburing)
  add_library(liburing::liburing UNKNOWN IMPORTED GLOBAL)
  set_target_properties(liburing::liburing PROPERTIES
    IMPORTED_LOCATION "${liburing_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${liburing_INCLUDE_DIR}")
endif()
