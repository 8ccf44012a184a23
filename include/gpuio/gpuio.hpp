// SPDX-License-Identifier: Apache-2.0
#pragma once

/// \file
/// Everything: an accelerator reads and writes every tier through a Context. Start with context.hpp.

#include "gpuio/atomics.hpp"
#include "gpuio/context.hpp"
#include "gpuio/device.hpp"
#include "gpuio/launch.hpp"
#include "gpuio/layout.hpp"
#include "gpuio/memory.hpp"
#include "gpuio/request.hpp"
#include "gpuio/result.hpp"
#include "gpuio/safetensors.hpp"
#include "gpuio/settings.hpp"
#include "gpuio/statistics.hpp"
#include "gpuio/status.hpp"
#include "gpuio/store.hpp"
#include "gpuio/stream.hpp"
#include "gpuio/view.hpp"
