// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory of one thread of the fused attention: independent of the number of rows and keys, kept from call to call.
#pragma once
#include <attend/kernels/cpu/attention_tuning.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Consecutive query rows, `count` from `first` on, at one position of the B batch axes.
template <int B>
struct row_range {
  long batch[B > 0 ? B : 1];
  long first;
  long count;
};

/// One panel's part of the scratch, transposed: consecutive floats are consecutive query rows.
struct panel_state {
  float* query;  // (depth, panel_rows), scaled
  float* output; // (width, panel_rows), not yet divided by the sum
  float* max;    // (panel_rows)
  float* sum;    // (panel_rows)
  bool ready;    // whether query is loaded, max and sum begun
  bool fresh;    // whether nothing has been added to output, which holds no numbers yet
};

/// Buffers of a work item.
class attention_scratch {
public:
  panel_state panel[std::max(tuning.panels, tuning.panels_16)];
  float* scores; // (key_block, panel_rows): of one panel; then the weights
  float* key;    // (key_block, depth): keys that are not floats side by side, converted
  float* value;  // (key_block, width)

  attention_scratch() = default;
  attention_scratch(attention_scratch const&) = delete;
  attention_scratch& operator=(attention_scratch const&) = delete;
  ~attention_scratch() { std::free(memory_); }

  /// Places the buffers; asks for memory only when a larger depth or width than ever before comes.
  void reserve(long panels, long depth, long width) {
    long const part = panel_rows * (depth + width + 2);
    std::size_t const needed = static_cast<std::size_t>(
        panels * part + tuning.key_block * (panel_rows + rounded(depth) + rounded(width)));
    if (needed > size_) {
      std::free(memory_);
      size_ = 0;
      memory_ = static_cast<float*>(std::aligned_alloc(64, rounded(static_cast<long>(needed)) * sizeof(float)));
      if (memory_ == nullptr) throw std::bad_alloc();
      size_ = needed;
    }
    float* at = memory_;
    auto const place = [&](long floats) { return std::exchange(at, at + floats); };
    for (long p = 0; p < panels; ++p)
      panel[p] = {place(depth * panel_rows), place(width * panel_rows), place(panel_rows), place(panel_rows), false, true};
    scores = place(tuning.key_block * panel_rows);
    key = place(tuning.key_block * rounded(depth));
    value = place(tuning.key_block * rounded(width));
  }

private:
  static long rounded(long floats) { return (floats + 15) / 16 * 16; } // to cache lines

  float* memory_ = nullptr;
  std::size_t size_ = 0; // in floats
};

/// The calling thread's own.
inline attention_scratch& thread_scratch() {
  thread_local attention_scratch scratch;
  return scratch;
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
