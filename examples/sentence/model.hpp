// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MiniLM-L6, a transformer encoder that makes a vector of a sentence: Wang et al., "MiniLM: Deep Self-Attention
// Distillation", 2020; its layers are BERT's (Devlin et al., 2018), its pooling Sentence-BERT's (Reimers and Gurevych, 2019).
// First the formulas, each an expression that runs nothing; then the model, which evaluates them batch by batch.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <attend/attend.hpp>

#include "batches.hpp"
#include "parameters.hpp"

namespace sentence {

/// x * weightᵀ + bias: (..., in) -> (..., out)
template <class X, auto Out, auto In>
auto linear(X const& x, linear_parameters<Out, In> const& p) {
  return x * transpose(p.weight) + p.bias;
}

/// Every token's features with mean 0 and variance 1, then scaled and shifted (Ba et al., "Layer Normalization", 2016).
template <class X>
auto layer_norm(X const& x, norm_parameters const& p) {
  auto centred = x - mean(x, c);
  auto variance = mean(hadamard(centred, centred), c);
  return hadamard(hadamard(centred, rsqrt(variance + 1e-12)), p.weight) + p.bias;
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
template <class X, class Lengths>
auto attention_weights(X const& x, Lengths const& lengths, projection_parameters const& p) {
  auto q = split(linear(x, p.query), e, heads, d);
  auto k = split(linear(x, p.key), e, heads, d);
  auto padded = padding(prime(s), lengths);
  return softmax(masked(q * transpose(k) / std::sqrt(384. / 12), drop(padded)));
}

/// The first half of a layer, given its attention weights: (b, s, c) -> (b, s, c).
template <class X, class Weights>
auto attention(X const& x, Weights const& weights, attention_parameters const& p) {
  auto v = split(linear(x, p.self.value), e, heads, d);
  auto attended = weights * v; // (b, s, n, d)
  attend::require_fused(attended);
  return layer_norm(x + linear(merge(attended, n, d, e), p.output.dense), p.output.LayerNorm);
}

/// The second half of a layer: (b, s, c) -> (b, s, c).
template <class X>
auto feed_forward(X const& x, layer_parameters const& p) {
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

/// The model with its parameters, which lie in the file's mapped memory.
class model {
public:
  /// Reads `model.safetensors`; throws `safetensors_error` where it isn't one of this model.
  explicit model(std::filesystem::path const& folder) : file{folder / "model.safetensors"} { load(parameters, file); }

  /// The embeddings (b, c) of texts, given as token ids, in their order.
  auto embed(std::span<token_ids const> texts) {
    auto const order = sorted_by_length(texts);
    auto sorted = attend::uninitialized<float>(word = texts.size(), features);
    auto places = attend::uninitialized<std::int32_t>(b = texts.size());
    for (std::size_t i = 0; i < order.size(); ++i) places.data()[order[i]] = static_cast<std::int32_t>(i);
    for (auto const& batch : batches_of(texts, order, tokens_at_once)) {
      auto const rows = batch.end - batch.begin;
      auto const in = padded(texts, std::span{order}.subspan(batch.begin, rows), batch.longest);
      auto const x = encode(in, layers);
      auto const out = attend::view<float>(&sorted(word = batch.begin), b = rows, features);
      attend::evaluate(attend::into(out), pooled(x, in.lengths));
    }
    return attend::evaluate(gather(sorted, places)); // back in the order of the texts
  }

  /// The attention weights (b = 1, s, n, s') of one text in one layer.
  auto weights(token_ids const& text, std::size_t layer) {
    std::size_t const first[] = {0};
    auto const in = padded({&text, 1}, first, text.size());
    auto const x = encode(in, layer);
    auto const& p = parameters.encoder.layer.at(layer).attention;
    auto const weights = attention_weights(x, in.lengths, p.self);
    auto [output, seen] = attend::evaluate(attention(x, weights, p), weights); // two results of one evaluation
    return std::move(seen);
  }

private:
  // About as many as keep a layer's intermediate results in the caches.
  static constexpr std::size_t tokens_at_once = 1024;

  using token_features = decltype(attend::view<float>(nullptr, b = 1, s = 1, features));

  // The features (b, s, c) of every token after the first `depth` layers, in memory that the next call overwrites.
  token_features encode(padded_ids const& in, std::size_t depth) {
    auto const rows = in.ids.extent(b), tokens = in.ids.extent(s);
    auto const memory = [&](std::vector<float>& scratch) {
      scratch.resize(std::max(scratch.size(), static_cast<std::size_t>(rows * tokens * features.size())));
      return attend::view<float>(scratch.data(), b = rows, s = tokens, features);
    };
    auto const x = memory(outer_scratch), y = memory(inner_scratch);
    attend::evaluate(attend::into(x), embedding(in.ids, parameters.embeddings));
    for (std::size_t i = 0; i < depth; ++i) {
      auto const& layer = parameters.encoder.layer[i];
      auto const weights = attention_weights(x, in.lengths, layer.attention.self);
      attend::evaluate(attend::into(y), attention(x, weights, layer.attention));
      attend::evaluate(attend::into(x), feed_forward(y, layer));
    }
    return x;
  }

  safetensors file;
  model_parameters parameters;
  std::vector<float> outer_scratch, inner_scratch;
};

} // namespace sentence
