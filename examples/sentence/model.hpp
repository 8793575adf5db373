// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model: its parameters, and the evaluation of its layers batch by batch.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <variant>

#include "batches.hpp"
#include "parameters.hpp"
#include <attend/nn/narrowed.hpp>

namespace sentence {

/// What the linear maps multiply; sums, norms and what lies between the layers are f32.
enum class precision { f32, bf16 };

/// MiniLM-L6 with its parameters, which lie in the file's mapped memory, those of linear maps in bf16 beside it.
class model {
public:
  using vectors = decltype(attend::uninitialized<float>(b = 1, features));
  using matrix = decltype(attend::uninitialized<float>(b = 1, prime(b) = 1));
  using head_weights = decltype(attend::uninitialized<float>(b = 1, s = 1, heads, prime(s) = 1));

  /// Reads `model.safetensors`; throws `attend::nn::parameter_error` where it isn't one of this model.
  explicit model(std::filesystem::path const& folder, precision of_products = precision::f32);

  /// The embeddings (b, c) of texts, given as token ids, in their order; each has length 1.
  vectors embed(std::span<token_ids const> texts);

  /// How alike the texts are whose embeddings (b, c) these are: (b, b'), from -1 to 1.
  static matrix similarities(vectors const& embeddings);

  /// The attention weights (b = 1, s, n, s') of one text in one layer, counted from 0.
  head_weights weights(token_ids const& text, std::size_t layer);

private:
  using token_features = decltype(attend::view<float>(nullptr, b = 1, s = 1, features));

  // The features (b, s, c) of every token after the first `depth` layers, in memory that this thread's next call overwrites.
  template <class T>
  token_features encode(model_parameters<T> const& parameters, padded_ids const& in, std::size_t depth);
  token_features encode(padded_ids const& in, std::size_t depth);

  attend::nn::safetensors file;
  attend::nn::narrowed<attend::bf16, attend::nn::safetensors> narrow_file{file};
  std::variant<model_parameters<float>, model_parameters<attend::bf16>> parameters;
};

} // namespace sentence
