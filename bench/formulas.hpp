// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention as it is written, full and causal, of anything that has q, k, v and a scale.
#pragma once
#include "operands.hpp"

namespace bench {

inline constexpr auto full_attention = [](auto& x) { return softmax(x.q * transpose(x.k) * x.scale) * x.v; };

inline constexpr auto causal_attention = [](auto& x) {
  return softmax(masked(x.q * transpose(x.k) * x.scale, keep(attend::causal(s, t)))) * x.v;
};

} // namespace bench
