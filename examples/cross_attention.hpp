// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cross-attention to a context of another width: CrossAttention(query_dim = 64, context_dim = 77), 8 heads of 64.
// Formulas only; nothing runs here.
#pragma once
#include <attend/nn/layers.hpp>
#include <cmath>

namespace cross_attention {

using namespace attend::dims;
using namespace attend::literals;

/// Features of the context.
inline constexpr struct context final : attend::dim<"context", attend::role::matrix, context> { using dim::operator=; } context;

inline constexpr auto features = c = 64_c;
inline constexpr auto context_features = context = 77_c;
inline constexpr auto inner = f = 512_c; // all heads together

struct parameters {
  using query_projection = attend::nn::projection_parameters<inner, features>;
  using context_projection = attend::nn::projection_parameters<inner, context_features>;
  using output_layer = attend::nn::linear_parameters<features, inner>;
  BOOST_HANA_DEFINE_STRUCT(parameters, (query_projection, to_q), (context_projection, to_k), (context_projection, to_v), (output_layer, to_out));
};

/// x (b, s, c), its context (b, t, context) -> (b, s, c).
template <class X, class Context>
auto output(X const& x, Context const& tokens, parameters const& p) {
  auto const heads = [](auto const& y) { return split(y, f, n = 8_c, d); };
  auto const q = heads(attend::nn::linear(x, p.to_q));
  auto const k = heads(attend::nn::linear(tokens, p.to_k)), v = heads(attend::nn::linear(tokens, p.to_v));
  return attend::nn::linear(merge(softmax(q * transpose(k) * std::pow(64., -0.5)) * v, n, d, f), p.to_out);
}

} // namespace cross_attention
