// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cross-attention from an image to a few tokens, as diffusion models have it (Rombach et al., "High-Resolution Image
// Synthesis with Latent Diffusion Models", 2022): every pixel asks, the tokens answer. Formulas only; nothing runs here.
#pragma once
#include <attend/nn/layers.hpp>
#include <cmath>
#include <utility>

namespace image_cross_attention {

using namespace attend::dims;
using namespace attend::literals;

/// Colours of a pixel.
inline constexpr struct rgb final : attend::dim<"rgb", attend::role::matrix, rgb> { using dim::operator=; } rgb;

inline constexpr auto colours = rgb = 3_c;
inline constexpr auto features = c = 512_c; // of a pixel and of a token
inline constexpr auto inner = f = 512_c;    // of queries, keys and values, all heads together

/// Weights as PyTorch stores them: nn.Conv2d(3, 512, 1), four nn.Linear(512, 512), nn.Conv2d(512, 3, 1).
struct parameters {
  using convolution_in = attend::nn::pointwise_parameters<features, colours>;
  using projection = attend::nn::linear_parameters<inner, features>;
  using output_layer = attend::nn::linear_parameters<features, inner>;
  using convolution_out = attend::nn::pointwise_parameters<colours, features>;
  BOOST_HANA_DEFINE_STRUCT(parameters, (convolution_in, proj_in), (projection, query), (projection, key), (projection, value), (output_layer, output), (convolution_out, proj_out));
};

/// The scale that the module is defined with: of all features, also where several heads share them.
inline double const scale = std::pow(512., -0.5);

/// Queries of the pixels, t counting them row by row: (b, rgb, h, w) -> (b, f, t).
template <class Image>
auto queries(Image const& image, parameters const& p) {
  return attend::nn::linear(merge(attend::nn::pointwise_convolution(image, p.proj_in), h, w, t), p.query);
}
/// What attention has found for the pixels, as colours: (b, f, t) -> (b, rgb, h, w).
template <class Attended, class Height, class Width>
auto painted(Attended const& attended, parameters const& p, Height height, Width width) {
  return attend::nn::pointwise_convolution(split(attend::nn::linear(attended, p.output), t, height, width), p.proj_out);
}

/// Eight heads of 64: image (b, rgb, h, w), context (b, s, c) -> image (b, rgb, h, w) and weights (b, n, s, t).
template <class Image, class Context>
auto eight_heads(Image const& image, Context const& context, parameters const& p) {
  auto const heads = [](auto const& x) { return split(x, f, n = 8_c, d); };
  auto const q = heads(queries(image, p));
  auto const k = heads(attend::nn::linear(context, p.key)), v = heads(attend::nn::linear(context, p.value));
  auto const weights = softmax(contract(q, k, d) * scale, s);
  return std::pair(painted(merge(contract(weights, v, s), n, d, f), p, extent_of(image, h), extent_of(image, w)), weights);
}

/// One head of 512: image (b, rgb, h, w), context (b, s, c) -> image (b, rgb, h, w) and weights (b, s, t).
template <class Image, class Context>
auto one_head(Image const& image, Context const& context, parameters const& p) {
  auto const k = attend::nn::linear(context, p.key), v = attend::nn::linear(context, p.value);
  auto const weights = softmax(contract(queries(image, p), k, f) * scale, s);
  return std::pair(painted(contract(weights, v, s), p, extent_of(image, h), extent_of(image, w)), weights);
}

} // namespace image_cross_attention
