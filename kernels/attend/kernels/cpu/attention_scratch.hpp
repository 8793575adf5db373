// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory of one thread of the fused attention: independent of the number of rows and keys, kept from call to call.
#pragma once
#include <attend/kernels/cpu/attention_tuning.hpp>
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

/// One panel's part of the scratch, transposed: consecutive words are consecutive query rows.
struct panel_state {
  float* query;  // (depth, panel_rows), as the products want it
  float* output; // (width, panel_rows), not yet divided by the sum
  float* max;    // (panel_rows)
  float* sum;    // (panel_rows)
  bool ready;    // whether query is loaded, max and sum begun
  bool fresh;    // whether nothing has been added to output, which holds no numbers yet
};

/// How much the products want, in floats; a panel's maxima and sums are there besides.
struct scratch_sizes {
  long query, output; // of a panel
  long scores;        // of a panel and a block of keys
  long key, value;    // of a block of keys, where they cannot stay as they lie
  long weights = 0;   // of a panel and a block of keys, where products want them in a form of their own
};

/// Buffers of a work item.
class attention_scratch {
public:
  panel_state panel[most_panels];
  float* scores; // (key_block, panel_rows): of one panel; then the weights
  float *key, *value, *weights;

  attention_scratch() = default;
  attention_scratch(attention_scratch const&) = delete;
  attention_scratch& operator=(attention_scratch const&) = delete;
  ~attention_scratch() { std::free(memory_); }

  /// Places the buffers; asks for memory only when more is wanted than ever before.
  void reserve(long panels, scratch_sizes const& wanted) {
    long const needed = panels * (rounded(wanted.query) + rounded(wanted.output) + 2 * rounded(panel_rows)) +
                        rounded(wanted.scores) + rounded(wanted.key) + rounded(wanted.value) +
                        rounded(wanted.weights);
    if (needed > size_) {
      std::free(memory_);
      size_ = 0;
      memory_ = static_cast<float*>(std::aligned_alloc(64, static_cast<std::size_t>(needed) * sizeof(float)));
      if (memory_ == nullptr) throw std::bad_alloc();
      size_ = needed;
    }
    float* at = memory_;
    auto const place = [&](long floats) { return std::exchange(at, at + rounded(floats)); };
    for (long p = 0; p < panels; ++p)
      panel[p] = {place(wanted.query), place(wanted.output), place(panel_rows), place(panel_rows), false, true};
    scores = place(wanted.scores);
    key = place(wanted.key), value = place(wanted.value);
    weights = place(wanted.weights);
  }

private:
  static long rounded(long floats) { return (floats + 15) / 16 * 16; } // to cache lines

  float* memory_ = nullptr;
  long size_ = 0; // in floats
};

/// The calling thread's own.
inline attention_scratch& thread_scratch() {
  thread_local attention_scratch scratch;
  return scratch;
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
