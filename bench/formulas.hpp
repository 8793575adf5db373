// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention as it is written, of anything that has q, k, v and a scale, in any memory.
#pragma once
#include "cases.hpp"
#include <attend/language.hpp>
#include <cmath>

namespace bench {

using namespace attend::dims;
using namespace attend::literals;

inline constexpr auto full_attention = [](auto& x) { return softmax(x.q * transpose(x.k) * x.scale) * x.v; };

inline constexpr auto causal_attention = [](auto& x) {
  return softmax(masked(x.q * transpose(x.k) * x.scale, keep(attend::causal(s, t)))) * x.v;
};

inline constexpr auto softcap_attention = [](auto& x) {
  return softmax(cap * tanh(x.q * transpose(x.k) * x.scale / cap)) * x.v;
};

/// The slope of every head for ALiBi: 2^-1 ... 2^-8 for eight heads.
inline auto alibi_slopes(long heads) {
  auto slopes = attend::uninitialized<float>(n = heads);
  for (long i = 0; i < heads; ++i)
    slopes(n = i) = std::exp2(-8.f * static_cast<float>(i + 1) / static_cast<float>(heads));
  return slopes;
}

} // namespace bench
