// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Self-attention on embedded tokens, with one head and with several, as in Vaswani et al., "Attention Is All You Need",
// 2017. Formulas only; nothing runs here.
#pragma once
#include <attend/nn/layers.hpp>
#include <cmath>
#include <utility>

namespace modules {

using namespace attend::dims;
using namespace attend::literals;

inline constexpr auto features = c = 512_c; // of a token
inline constexpr auto inner = f = 512_c;    // of queries, keys and values, all heads together

/// Weights as PyTorch stores them: queries, keys and values without bias, the output layer with one.
struct parameters {
  using projection = attend::nn::projection_parameters<inner, features>;
  using output_layer = attend::nn::linear_parameters<features, inner>;
  BOOST_HANA_DEFINE_STRUCT(parameters, (projection, query), (projection, key), (projection, value), (output_layer, output));
};

/// One head of 512: x (b, s, c) -> output (b, s, c) and weights (b, s, s').
template <class X, class Mask>
auto single_head(X const& x, Mask const& mask, parameters const& p) {
  auto const q = attend::nn::linear(x, p.query), k = attend::nn::linear(x, p.key), v = attend::nn::linear(x, p.value);
  auto const weights = softmax(masked(q * transpose(k) / std::sqrt(512.), mask));
  return std::pair(attend::nn::linear(weights * v, p.output), weights);
}

/// Heads of x: (b, s, f) -> (b, s, n, d).
template <class X, class Heads>
auto split_heads(X const& x, Heads heads) {
  return split(x, f, heads, d);
}
/// The scores of all heads, scaled by 1 / sqrt(head dim): x (b, s, c) -> (b, n, s, s').
template <class X, class Heads>
auto scores(X const& x, parameters const& p, Heads heads) {
  auto const q = split_heads(attend::nn::linear(x, p.query), heads), k = split_heads(attend::nn::linear(x, p.key), heads);
  return q * transpose(k) / std::sqrt(512. / static_cast<double>(heads.size()));
}

/// Several heads, `n = 8_c`: x (b, s, c) -> output (b, s, c) and weights (b, n, s, s'), both after dropout where `drop`
/// does that to weights.
template <class X, class Mask, class Heads, class Dropout>
auto multi_head(X const& x, Mask const& mask, parameters const& p, Heads heads, Dropout const& drop) {
  auto const weights = drop(softmax(masked(scores(x, p, heads), mask)));
  auto const v = split_heads(attend::nn::linear(x, p.value), heads);
  return std::pair(attend::nn::linear(merge(weights * v, n, d, f), p.output), weights);
}
template <class X, class Mask, class Heads>
auto multi_head(X const& x, Mask const& mask, parameters const& p, Heads heads) {
  return multi_head(x, mask, p, heads, [](auto const& weights) { return weights; });
}

} // namespace modules
