// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Philox4x32-10 as in "Parallel random numbers: as easy as 1, 2, 3" (Salmon, Moraes, Dror, Shaw, 2011), and the rule of
// dropout: an element is kept when the top 24 of its 32 bits reach the threshold.
#pragma once
#include <array>
#include <attend/kernels/isa.hpp>
#include <cmath>
#include <cstdint>

namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA {

using philox_block = std::array<std::uint32_t, 4>;

/// The block of random words of one counter under one key.
inline philox_block philox4x32(philox_block counter, std::array<std::uint32_t, 2> key) {
  for (int i = 0; i < 10; ++i) {
    std::uint64_t const left = counter[0] * std::uint64_t{0xD2511F53}, right = counter[2] * std::uint64_t{0xCD9E8D57};
    auto const top = [](std::uint64_t product) { return static_cast<std::uint32_t>(product >> 32); };
    auto const bottom = [](std::uint64_t product) { return static_cast<std::uint32_t>(product & 0xFFFFFFFFu); };
    counter = {top(right) ^ counter[1] ^ key[0], bottom(right), top(left) ^ counter[3] ^ key[1], bottom(left)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

/// Word number `position` of the stream `seed`: four to a block.
inline std::uint32_t philox_word(std::uint64_t seed, std::uint64_t position) {
  auto const lower = [](std::uint64_t x) { return static_cast<std::uint32_t>(x % (1ull << 32)); };
  auto const upper = [](std::uint64_t x) { return static_cast<std::uint32_t>(x / (1ull << 32)); };
  return philox4x32({lower(position / 4), upper(position / 4), 0, 0}, {lower(seed), upper(seed)})[position % 4];
}

/// Whether dropout with probability p keeps the element at this position.
inline bool dropout_keeps(double p, std::uint64_t seed, std::uint64_t position) {
  return static_cast<double>(philox_word(seed, position) / 256) >= std::ceil(p * 16777216.0);
}

} // namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA
