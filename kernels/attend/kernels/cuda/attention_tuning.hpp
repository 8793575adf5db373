// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of the fused attention, by machine, element type, head dim and whether scores are left as they are or a functor
// needs registers, too. Data, nothing else.
#pragma once
#include <attend/types.hpp>
#include <utility>

namespace attend::kernels::cuda {

/// Machines with mma.sync and cp.async: those of data centers, and the others, which have less shared memory for a block.
struct sm_80 {
  static constexpr int shared_bytes = 163 << 10;
};
struct sm_86 {
  static constexpr int shared_bytes = 99 << 10;
};
/// The one with TMA and wgmma.
struct sm_90 {
  static constexpr int shared_bytes = 227 << 10;
};

/// A block of `warps` warps computes `rows` query rows, `keys` keys at a time; a multiprocessor has room for `blocks`.
template <int Rows, int Keys, int Warps, int Blocks>
struct attention_tiles {
  using tiles = attention_tiles;
  static constexpr int rows = Rows, keys = Keys, warps = Warps, blocks = Blocks;
  template <class T>
  static constexpr int shared_bytes(int head_dim) { return (rows + 2 * keys) * head_dim * static_cast<int>(sizeof(T)); }
};

/// The head dims that have kernels; others are padded to the next of them.
using attention_head_dims = std::integer_sequence<int, 32, 64, 96, 128, 192, 256>;

/// T whose weights are multiplied in two parts, for a result of f32.
template <half_precision T>
struct in_two_parts {};

// clang-format off
template <class Machine, class T, int HeadDim, bool Plain> struct attention_tuning;
template <half_precision T, bool Plain> struct attention_tuning<sm_80, T, 32, Plain> : attention_tiles<128, 128, 4, 2> {};
template <half_precision T> struct attention_tuning<sm_80, T, 64, true> : attention_tiles<128, 96, 4, 2> {};
template <half_precision T> struct attention_tuning<sm_80, T, 64, false> : attention_tiles<128, 64, 4, 2> {};
template <half_precision T, bool Plain> struct attention_tuning<sm_80, T, 96, Plain> : attention_tiles<128, 64, 4, 2> {};
template <half_precision T> struct attention_tuning<sm_80, T, 128, true> : attention_tiles<128, 48, 4, 2> {};
template <half_precision T> struct attention_tuning<sm_80, T, 128, false> : attention_tiles<128, 32, 4, 2> {};
template <half_precision T, bool Plain> struct attention_tuning<sm_80, T, 192, Plain> : attention_tiles<128, 64, 8, 1> {};
template <half_precision T, bool Plain> struct attention_tuning<sm_80, T, 256, Plain> : attention_tiles<128, 64, 8, 1> {};

template <class T, int HeadDim, bool Plain> struct attention_tuning<sm_80, in_two_parts<T>, HeadDim, Plain> : attention_tuning<sm_80, T, HeadDim, false> {};
template <class T, bool Plain> struct attention_tuning<sm_80, in_two_parts<T>, 96, Plain> : attention_tiles<128, 32, 4, 2> {};
template <class T, bool Plain> struct attention_tuning<sm_80, in_two_parts<T>, 256, Plain> : attention_tiles<128, 32, 8, 1> {};

template <bool Plain> struct attention_tuning<sm_80, float, 32, Plain> : attention_tiles<64, 64, 4, 2> {};
template <bool Plain> struct attention_tuning<sm_80, float, 64, Plain> : attention_tiles<64, 64, 4, 2> {};
template <bool Plain> struct attention_tuning<sm_80, float, 96, Plain> : attention_tiles<64, 32, 4, 2> {};
template <bool Plain> struct attention_tuning<sm_80, float, 128, Plain> : attention_tiles<64, 32, 4, 2> {};
template <bool Plain> struct attention_tuning<sm_80, float, 192, Plain> : attention_tiles<64, 32, 4, 1> {};
template <bool Plain> struct attention_tuning<sm_80, float, 256, Plain> : attention_tiles<64, 32, 4, 1> {};

template <class T, int HeadDim, bool Plain> struct attention_tuning<sm_86, T, HeadDim, Plain> : attention_tuning<sm_80, T, HeadDim, Plain> {};
template <half_precision T, bool Plain> struct attention_tuning<sm_86, T, 256, Plain> : attention_tiles<64, 64, 4, 1> {};
template <class T, bool Plain> struct attention_tuning<sm_86, in_two_parts<T>, 256, Plain> : attention_tiles<64, 32, 4, 1> {};
template <bool Plain> struct attention_tuning<sm_86, float, 256, Plain> : attention_tiles<32, 32, 2, 1> {};

/// On sm_90 a block has `consumers` warpgroups of 64 query rows each, and one more that has tiles of `keys` keys copied
/// into `stages` buffers; registers of a thread of that one and of the others.
template <int Depth, int Width, int Keys, int Consumers, int ProducerRegisters, int ConsumerRegisters>
struct warpgroup_tiles {
  using tiles = warpgroup_tiles;
  static constexpr int depth = Depth, width = Width, keys = Keys, consumers = Consumers, stages = 2;
  static constexpr int rows = 64 * consumers, threads = 128 * (consumers + 1);
  static constexpr int producer_registers = ProducerRegisters, consumer_registers = ConsumerRegisters;
};
template <int Depth, int Width, bool Plain> struct warpgroup_tuning;
template <bool Plain> struct warpgroup_tuning<32, 32, Plain> : warpgroup_tuning<64, 64, Plain> {};
template <> struct warpgroup_tuning<64, 64, true> : warpgroup_tiles<64, 64, 128, 3, 32, 160> {};
template <> struct warpgroup_tuning<64, 64, false> : warpgroup_tiles<64, 64, 128, 2, 56, 224> {};
template <> struct warpgroup_tuning<96, 96, true> : warpgroup_tiles<96, 96, 144, 2, 24, 240> {};
template <> struct warpgroup_tuning<96, 96, false> : warpgroup_tiles<96, 96, 144, 2, 56, 224> {};
template <> struct warpgroup_tuning<128, 128, true> : warpgroup_tiles<128, 128, 176, 2, 24, 240> {};
template <> struct warpgroup_tuning<128, 128, false> : warpgroup_tiles<128, 128, 128, 2, 56, 224> {};
template <> struct warpgroup_tuning<192, 128, true> : warpgroup_tiles<192, 128, 128, 2, 24, 240> {};
template <> struct warpgroup_tuning<192, 128, false> : warpgroup_tiles<192, 128, 128, 2, 56, 224> {};
template <> struct warpgroup_tuning<192, 192, true> : warpgroup_tiles<192, 192, 112, 2, 24, 240> {};
template <> struct warpgroup_tuning<192, 192, false> : warpgroup_tiles<192, 192, 112, 2, 56, 224> {};
template <> struct warpgroup_tuning<256, 256, true> : warpgroup_tiles<256, 256, 80, 2, 24, 240> {};
template <> struct warpgroup_tuning<256, 256, false> : warpgroup_tiles<256, 256, 64, 2, 56, 224> {};
// clang-format on

} // namespace attend::kernels::cuda
