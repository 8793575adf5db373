// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MiniLM-L6, a transformer encoder that makes a vector of a sentence: Wang et al., "MiniLM: Deep Self-Attention
// Distillation", 2020; its layers are BERT's (Devlin et al., 2018), its pooling Sentence-BERT's (Reimers and Gurevych, 2019).
// Each function writes a formula down and runs nothing: its result is an expression, for attend::evaluate.
#pragma once

#include <cmath>
#include <type_traits>

#include <attend/nn/layers.hpp>
#include <attend/plan.hpp>

#include "parameters.hpp"

namespace sentence {

/// x weight^T + bias, of x in the type that the parameters have.
template <class X, auto Out, auto In, class T>
auto linear(X const& x, linear_parameters<Out, In, T> const& p) {
  if constexpr (std::is_same_v<typename X::value_type, T>) return attend::nn::linear(x, p);
  else return attend::nn::linear(attend::cast<T>(x), p);
}

/// The model's own epsilon.
template <class X>
auto layer_norm(X const& x, norm_parameters const& p) {
  return attend::nn::layer_norm(x, p, 1e-12);
}

/// What the tokens are before any layer: ids (b, s) -> (b, s, c).
template <class Ids>
auto embedding(Ids const& ids, embedding_parameters const& p) {
  auto pieces = gather(p.word_embeddings.weight, ids);
  auto places = gather(p.position_embeddings.weight, index(s));
  auto kind = at(p.token_type_embeddings.weight, segment, 0);
  return layer_norm(pieces + kind + places, p.LayerNorm);
}

/// Who attends to whom: (b, s, c) -> (b, s, n, s'), each row of s' sums to 1; padding is attended to by nobody.
template <class X, class Lengths, class T>
auto attention_weights(X const& x, Lengths const& lengths, projection_parameters<T> const& p) {
  auto q = split(linear(x, p.query), e, heads, d);
  auto k = split(linear(x, p.key), e, heads, d);
  auto padded = padding(prime(s), lengths);
  double const head_size = projected.size() / heads.size();
  return softmax(masked(q * transpose(k) / std::sqrt(head_size), drop(padded)));
}

/// The first half of a layer, given its attention weights: (b, s, c) -> (b, s, c).
template <class X, class Weights, class T>
auto attention(X const& x, Weights const& weights, attention_parameters<T> const& p) {
  auto v = split(linear(x, p.self.value), e, heads, d);
  auto attended = weights * v; // (b, s, n, d)
  attend::require_fused(attended);
  return layer_norm(x + linear(merge(attended, n, d, e), p.output.dense), p.output.LayerNorm);
}

/// The second half of a layer: (b, s, c) -> (b, s, c).
template <class X, class T>
auto feed_forward(X const& x, layer_parameters<T> const& p) {
  auto inner = gelu(linear(x, p.intermediate.dense)); // (b, s, f)
  return layer_norm(x + linear(inner, p.output.dense), p.output.LayerNorm);
}

/// The mean over a sentence's own tokens, as a vector of length 1: (b, s, c) -> (b, c).
template <class X, class Lengths>
auto pooled(X const& x, Lengths const& lengths) {
  auto total = sum(where(index(s) < lengths, x, 0), s);
  auto average = total / lengths;
  return average / max(sqrt(sum(hadamard(average, average), c)), 1e-12);
}

/// How alike sentences are, the cosine of the angle between their vectors: (b, c) -> (b, b').
template <class X>
auto similarity(X const& x) {
  return contract(x, rename(x, b, prime(b)), c);
}

} // namespace sentence
