// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of the fused attention, by machine, element type, head dim and whether scores have masks. Data, nothing else.
#pragma once
#include <attend/types.hpp>
#include <utility>

namespace attend::kernels::cuda {

/// Machines with mma.sync and cp.async: those of data centers, with 160 KB of shared memory and more to a block, and the
/// others, with 99 KB.
struct sm_80 {};
struct sm_86 {};

/// A block computes `rows` query rows, `keys` keys at a time, by `warps` warps; a thread has at most `registers`.
template <int Rows, int Keys, int Warps, int Registers>
struct attention_tiles {
  using tiles = attention_tiles;
  static constexpr int rows = Rows, keys = Keys, warps = Warps, registers = Registers;
};

/// The head dims that have kernels; others are padded to the next of them.
using attention_head_dims = std::integer_sequence<int, 32, 64, 96, 128, 192, 256>;

/// What a block of an sm_80 machine may have of shared memory; whoever gives less counts as sm_86.
inline constexpr int sm_80_shared_bytes = 160 << 10;

// clang-format off
template <class Machine, half_precision T, int HeadDim, bool Masked> struct attention_tuning;
template <half_precision T, bool Masked> struct attention_tuning<sm_80, T, 32, Masked> : attention_tiles<128, 128, 4, 255> {};
template <half_precision T> struct attention_tuning<sm_80, T, 64, false> : attention_tiles<128, 128, 4, 255> {};
template <half_precision T> struct attention_tuning<sm_80, T, 64, true> : attention_tiles<128, 64, 4, 255> {};
template <half_precision T, bool Masked> struct attention_tuning<sm_80, T, 96, Masked> : attention_tiles<128, 64, 4, 255> {};
template <half_precision T, bool Masked> struct attention_tuning<sm_80, T, 128, Masked> : attention_tiles<128, 64, 4, 255> {};
template <half_precision T, bool Masked> struct attention_tuning<sm_80, T, 192, Masked> : attention_tiles<128, 64, 8, 255> {};
template <half_precision T, bool Masked> struct attention_tuning<sm_80, T, 256, Masked> : attention_tiles<128, 64, 8, 255> {};

template <half_precision T, int HeadDim, bool Masked> struct attention_tuning<sm_86, T, HeadDim, Masked> : attention_tuning<sm_80, T, HeadDim, Masked> {};
template <half_precision T, bool Masked> struct attention_tuning<sm_86, T, 256, Masked> : attention_tiles<64, 64, 4, 255> {};
// clang-format on

} // namespace attend::kernels::cuda
