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
  int lines;      // of memory asked for ahead with every group of keys
  long bytes_ahead; // of keys and values that are worth asking for one position ahead
  int panels;     // of a work item, which share the tiles of keys and values
  int panels_16;  // the same for 16-bit elements, whose tiles are converted once an item
  int panels_bf16; // the same where pairs of bf16 are multiplied, for which values are turned once an item
  int panels_at_once; // the same where one block holds all keys, and no panel has to be kept

  constexpr int most_panels() const { return std::max({panels, panels_16, panels_bf16}); }
};

inline constexpr attention_tuning tuning = machine::lanes == 16
                                               ? attention_tuning{4, 6, 128, 8, 256 << 10, 1, 2, 8, 16} // 32 registers
                                               : attention_tuning{2, 6, 128, 8, 128 << 10, 4, 8, 8, 32}; // 16 registers
inline constexpr int panel_rows = tuning.vectors * machine::lanes;
/// Whether one block holds all of so many keys.
constexpr bool in_one_block(long keys) { return keys <= tuning.key_block; }

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
