// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Self-attention by one projection to queries, keys and values: SelfAttention(dim = 64, heads = 8, dim_head = 64).
// Formulas only; nothing runs here.
#pragma once
#include <attend/nn/layers.hpp>
#include <cmath>

namespace self_attention {

using namespace attend::dims;
using namespace attend::literals;

inline constexpr auto features = c = 64_c;
inline constexpr auto projected = f = 3_c * 512_c; // queries, keys and values side by side
inline constexpr auto inner = e = 512_c;           // all heads together

struct parameters {
  using projection = attend::nn::projection_parameters<projected, features>;
  using output_layer = attend::nn::linear_parameters<features, inner>;
  BOOST_HANA_DEFINE_STRUCT(parameters, (projection, to_qkv), (output_layer, to_out));
};

/// x (b, s, c) -> (b, s, c), `change` being what happens to the scores (b, n, s, s') before their softmax.
template <class X, class Change>
auto changed(X const& x, parameters const& p, Change const& change) {
  auto const qkv = split(attend::nn::linear(x, p.to_qkv), f, part = 3_c, n = 8_c, d);
  auto const scores = at(qkv, part, 0) * transpose(at(qkv, part, 1)) * std::pow(64., -0.5);
  return attend::nn::linear(merge(softmax(change(scores)) * at(qkv, part, 2), n, d, e), p.to_out);
}

/// x (b, s, c) -> (b, s, c).
template <class X>
auto output(X const& x, parameters const& p) {
  return changed(x, p, [](auto const& scores) { return scores; });
}
/// The same with a mask of the keys, (b, s'), or of queries and keys.
template <class X, class Mask>
auto output(X const& x, parameters const& p, Mask const& mask) {
  return changed(x, p, [&](auto const& scores) { return masked(scores, mask); });
}

} // namespace self_attention
