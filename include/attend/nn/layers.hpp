// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Layers as functions that write a formula down and run nothing: their results are expressions, made of the language and
// of nothing else. Dims are found by name, so that what lies around a layer - batches, image rows - needs no word here.
#pragma once
#include <attend/language.hpp>
#include <attend/nn/parameters.hpp>

namespace attend::nn {
namespace detail {

/// x (..., in) times weight (out, in). Where `in` is the column of x, `out` is that of the result; else the result has no
/// row and no column.
template <class In, class Out, class X, class W>
auto mapped(X&& x, W const& weight) {
  using namespace attend::detail;
  using Node = lifted<X>;
  if constexpr (broken<Node>) return ill_formed{};
  else if constexpr (in<Out, typename Node::shape::dims>) return reported(violation<rule::layer_makes_its_dim<dimension_named<Out>, dims_shown_x<Node>>>{});
  else if constexpr (!in<In, typename Node::shape::dims>) return reported(violation<rule::contracted_in_both<dimension_named<In>, dims_shown_x<Node>, dims_shown_y<lifted<W const&>>>>{});
  else if constexpr (!meets<Node, lifted<W const&>>) return reported(meeting<Node, lifted<W const&>>()); // here the way to the mistake is short
  else if constexpr (std::is_same_v<column_of<Node>, In>) return std::forward<X>(x) * transpose(weight);
  else return contract(std::forward<X>(x), weight, In{});
}

} // namespace detail

/// x weight^T + bias: (..., in) -> (..., out).
template <class X, auto Out, auto In, class T>
auto linear(X&& x, linear_parameters<Out, In, T> const& p) {
  using P = linear_parameters<Out, In, T>;
  return detail::mapped<typename P::input, typename P::output>(std::forward<X>(x), p.weight) + p.bias;
}
template <class X, auto Out, auto In, class T>
auto linear(X&& x, projection_parameters<Out, In, T> const& p) {
  using P = projection_parameters<Out, In, T>;
  return detail::mapped<typename P::input, typename P::output>(std::forward<X>(x), p.weight);
}

/// A convolution of one pixel, the same linear map of the channels everywhere: (..., in, h, w) -> (..., out, h, w).
template <class X, auto Out, auto In, class T>
auto pointwise_convolution(X&& x, pointwise_parameters<Out, In, T> const& p) {
  using P = pointwise_parameters<Out, In, T>;
  return detail::mapped<typename P::input, typename P::output>(std::forward<X>(x), at(at(p.weight, dims::h, 0), dims::w, 0)) + p.bias;
}

/// Features with mean 0 and variance 1, then scaled and shifted: Ba et al., "Layer Normalization", 2016. `epsilon` is
/// added to the variance.
template <class X, auto Features, class T>
auto layer_norm(X const& x, norm_parameters<Features, T> const& p, double epsilon = 1e-5) {
  constexpr typename norm_parameters<Features, T>::features features{};
  auto const centred = x - mean(x, features);
  auto const variance = mean(hadamard(centred, centred), features);
  return hadamard(hadamard(centred, rsqrt(variance + epsilon)), p.weight) + p.bias;
}

/// The features of each id: (...) -> (..., features).
template <class Ids, auto Rows, auto Features, class T>
auto embedding(Ids&& ids, embedding_parameters<Rows, Features, T> const& p) {
  return gather(p.weight, std::forward<Ids>(ids), typename embedding_parameters<Rows, Features, T>::rows{});
}

/// down(gelu(up(x))): (..., features) -> (..., features).
template <class X, class Up, class Down>
auto feed_forward(X&& x, Up const& up, Down const& down) {
  return linear(gelu(linear(std::forward<X>(x), up)), down);
}

/// x + layer(x).
template <class X, class Layer>
auto residual(X const& x, Layer const& layer) {
  return x + layer(x);
}

} // namespace attend::nn
