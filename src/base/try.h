// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gpuio/result.hpp"

// Early return on failure, the only two macros of the house that hide control flow.

/// Evaluates a Status; returns it from the enclosing function unless it is ok.
#define GPUIO_TRY(expression)                                                                    \
  do {                                                                                           \
    if (::gpuio::Status gpuio_status_ = (expression); !gpuio_status_.ok()) return gpuio_status_; \
  } while (false)

#define GPUIO_CONCAT_INNER_(a, b) a##b
#define GPUIO_CONCAT_(a, b) GPUIO_CONCAT_INNER_(a, b)

/// Declares or assigns `target` from a Result; returns its Status from the enclosing function if there is no value.
#define GPUIO_ASSIGN(target, expression) GPUIO_ASSIGN_(GPUIO_CONCAT_(gpuio_result_, __LINE__), target, expression)
#define GPUIO_ASSIGN_(name, target, expression) \
  auto name = (expression);                     \
  if (!name) return std::move(name).error();    \
  target = *std::move(name)
