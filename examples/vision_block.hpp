// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The attention of a vision transformer's block (Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021): layer norm,
// eight heads of 96 with dropout on their weights, projection with dropout. Formulas only; nothing runs here.
#pragma once
#include <attend/nn/layers.hpp>
#include <cmath>
#include <cstdint>

namespace vision_block {

using namespace attend::dims;
using namespace attend::literals;

inline constexpr auto features = c = 768_c;        // of a patch
inline constexpr auto projected = f = 3_c * 768_c; // queries, keys and values side by side
inline constexpr auto inner = e = 768_c;           // all heads together

struct parameters {
  using layer_norm = attend::nn::norm_parameters<features>;
  using projection = attend::nn::projection_parameters<projected, features>;
  using output_layer = attend::nn::linear_parameters<features, inner>;
  BOOST_HANA_DEFINE_STRUCT(parameters, (layer_norm, norm), (projection, qkv), (output_layer, proj));
};

/// Probabilities to drop a weight and a result, and the seed of either.
struct dropouts {
  double attention, projection;
  std::int64_t attention_seed, projection_seed;
};

/// Weights and values of the heads of normalised patches: (b, s, c) -> (b, n, s, s') and (b, s, n, d).
template <class X>
auto heads(X const& normalised, parameters const& p) {
  auto const qkv = split(attend::nn::linear(normalised, p.qkv), f, part = 3_c, n = 8_c, d); // (B, N, 3, H, C / H)
  return std::pair(softmax(at(qkv, part, 0) * transpose(at(qkv, part, 1)) * std::pow(96., -0.5)), at(qkv, part, 2));
}

/// x (b, s, c) -> (b, s, c).
template <class X>
auto output(X const& x, parameters const& p) {
  auto const [weights, values] = heads(attend::nn::layer_norm(x, p.norm), p);
  return attend::nn::linear(merge(weights * values, n, d, e), p.proj);
}
/// The same in training.
template <class X>
auto output(X const& x, parameters const& p, dropouts const& drop) {
  auto const [weights, values] = heads(attend::nn::layer_norm(x, p.norm), p);
  auto const dropped = dropout(weights, drop.attention, drop.attention_seed);
  return dropout(attend::nn::linear(merge(dropped * values, n, d, e), p.proj), drop.projection, drop.projection_seed);
}

} // namespace vision_block
