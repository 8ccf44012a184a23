// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "gpuio/dev/words.h"
#include "gpuio/view.hpp"

/// Kernels as a user would write them, over Views, atomics and a delegate. Each is queued on a stream (a cudaStream_t)
/// and gives up after some seconds of waiting, which it tells by the word `gave_up`. Nothing here needs a CUDA header.
namespace gpuio::tests {

/// One type of View on both sides, whatever each was compiled with.
using Words = dev::View<std::uint64_t, dev::Checks::off>;

/// `to[i] = 3 * from[i] + 1` through load and store.
void map_words(void* stream, Words from, Words to);

/// Host and kernel in turns, `rounds` of them: the host stores `data` and raises `asked`; the kernel checks the data,
/// stores its own (the round times 5) and raises `answered`. Words of `state`, a line each: data, asked, answered,
/// the kernel's data. `gave_up` counts what it found wrong too.
void talk(void* stream, Words state, std::uint64_t rounds, Words gave_up);

/// Every thread of `blocks` blocks adds to word 0, raises the maximum in word 1 by its number, and takes the lock in
/// word 2 to add to the plain word 3.
void meet(void* stream, Words words, unsigned blocks, unsigned threads);

/// Each of `threads` threads has the delegate add 1 to word 0 and notes what it was in `old`; odd threads first have it
/// add to the word of their own number, so that the lanes of a warp part.
void delegate(void* stream, const dev::DelegateRing& ring, Words old, unsigned threads);

}  // namespace gpuio::tests
