// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory of one thread of the fused attention: independent of the number of rows and keys, kept from call to call.
#pragma once
#include <attend/kernels/cpu/attention_tuning.hpp>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Buffers of a work item. Panels are stored transposed: consecutive floats are consecutive query rows.
class attention_scratch {
public:
  float* query;   // (panels, depth, panel_rows)
  float* scores;  // (key_block, panel_rows): of one panel; then the weights
  float* output;  // (panels, width, panel_rows), not yet divided by the sum
  float* max;     // (panels, panel_rows)
  float* sum;     // (panels, panel_rows)
  float* key;     // (key_block, depth): keys that are not floats side by side, converted
  float* value;   // (key_block, width)
  float* mean;    // (width): of all values, for rows with nothing kept

  attention_scratch() = default;
  attention_scratch(attention_scratch const&) = delete;
  attention_scratch& operator=(attention_scratch const&) = delete;
  ~attention_scratch() { std::free(memory_); }

  /// Places the buffers; asks for memory only when a larger depth or width than ever before comes.
  void reserve(long panels, long depth, long width) {
    std::size_t used = 0;
    auto const place = [&](long floats) {
      std::size_t const here = used;
      used += (static_cast<std::size_t>(floats) + 15) / 16 * 16;
      return here;
    };
    std::size_t const at[] = {place(panels * depth * panel_rows), place(tuning.key_block * panel_rows),
                              place(panels * width * panel_rows), place(panels * panel_rows),
                              place(panels * panel_rows),         place(tuning.key_block * depth),
                              place(tuning.key_block * width),    place(width)};
    if (used > size_) {
      std::free(memory_);
      size_ = 0;
      memory_ = static_cast<float*>(std::aligned_alloc(64, used * sizeof(float)));
      if (memory_ == nullptr) throw std::bad_alloc();
      size_ = used;
    }
    float** const buffers[] = {&query, &scores, &output, &max, &sum, &key, &value, &mean};
    for (int i = 0; i < 8; ++i) *buffers[i] = memory_ + at[i];
  }

private:
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
