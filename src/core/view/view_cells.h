// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace gpuio::core {

/// A word that is a generation while a Pin lives, and something else from then on.
struct ViewCell {
  std::uint64_t generation = 0;  ///< Written and read through atomic references: Views in user code know only the word.
};

/// Cells for Pins that Views are made of. A View may be looked at long after its Pin is gone, so cells are used again
/// but never freed; there are as many as there were such Pins at once. Thread safety: all members, any thread.
class ViewCells {
 public:
  /// The one of this process; never destroyed.
  static ViewCells& process();

  /// A cell with a generation that no cell of this process has had.
  [[nodiscard]] ViewCell& take();
  /// Ends the cell's generation.
  void give(ViewCell& cell);

  [[nodiscard]] std::size_t cells() const;  ///< Ever made.

 private:
  mutable std::mutex mutex_;
  std::uint64_t next_ = 1;
  std::deque<ViewCell> cells_;
  std::vector<ViewCell*> free_;
};

}  // namespace gpuio::core
