// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiles of the fused attention of sm_90 to choose from, each ready to be timed.
#pragma once
#include "../device.hpp"
#include <functional>
#include <string>
#include <vector>

namespace bench::tuner {

/// What is timed: sequences of so many tokens in all, of so many heads.
inline constexpr long tokens = 16384;
constexpr long heads_of(int depth) { return depth > 128 ? 8 : 16; }

/// One kernel: what it computes, and in which tiles.
struct candidate {
  int depth, width;         ///< head dims
  std::string score;        ///< full, causal or alibi
  int keys, consumers;      ///< of a tile; warpgroups of 64 query rows
  int of_producer, of_consumer; ///< registers of a thread
  bool in_use;              ///< whether the tuning has it
  std::function<call(long)> prepare; ///< for sequences so long; an empty call where the device is not for it
};

/// Every candidate, in the order of registration.
std::vector<candidate>& all_candidates();

// Each file's candidates.
void add_candidates_64();
void add_candidates_96();
void add_candidates_128();
void add_candidates_192();
void add_candidates_256();

} // namespace bench::tuner
