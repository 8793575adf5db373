// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The fused attention's tile sizes for each instruction set.
#pragma once
#include <algorithm>
#include <attend/kernels/cpu/isa.hpp>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {

/// A panel is `vectors` vectors of query rows; products run over it and `group` keys or value columns at once, so
/// vectors * (group + 1) + 1 registers are in use.
struct attention_tuning {
  int vectors;    // of a panel
  int group;      // accumulators of a vector
  int key_block;  // keys between two rescales of the output
  int chain;      // keys, or half as many more, that are summed by themselves: rounding errors grow with a sum's length
  int lines;      // of memory asked for ahead with every few rows of bf16
  long bytes_ahead; // of keys and values that are worth asking for one position ahead
  int panels;     // of a work item, which share the tiles of keys and values
  int panels_16;  // the same for 16-bit elements, whose tiles are converted once an item
  int panels_at_once; // the same where one block holds all keys, and no panel has to be kept
  double bytes_streamed; // of weights that are results, from where on the caches don't keep them for a reader
};
/// What differs where pairs of bf16 are multiplied.
struct bf16_tuning {
  int key_step;  // a block of keys is divided by multiples of it
  int key_block;
  int panels;    // values are turned once an item
};

inline constexpr attention_tuning tuning = machine::lanes == 16
                                               ? attention_tuning{4, 6, 128, 64, 8, 256 << 10, 4, 4, 16, 4 << 20} // 32 registers
                                               : attention_tuning{2, 6, 128, 64, 8, 128 << 10, 4, 8, 32, 4 << 20}; // 16 registers
inline constexpr int panel_rows = tuning.vectors * machine::lanes;
#ifdef ATTEND_DETAIL_MATRIX_TILES
inline constexpr bf16_tuning tuning_bf16{32, 256, 8};
#else
inline constexpr bf16_tuning tuning_bf16{2 * tuning.group, 128, 8};
#endif
inline constexpr int most_panels = std::max({tuning.panels, tuning.panels_16, tuning_bf16.panels});

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
