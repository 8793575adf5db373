// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model's parameters as structs whose members bear the names that the file gives them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <attend/language.hpp>
#include <boost/hana.hpp>

#include <attend/nn/parameters.hpp>
#include <attend/nn/safetensors.hpp>

namespace sentence {

using namespace attend::dims;
using namespace attend::literals;

// Rows of the tables that ids are looked up in.
// clang-format off
inline constexpr struct word final : attend::dim<"word", attend::role::matrix, word> { using dim::operator=; } word;
inline constexpr struct position final : attend::dim<"position", attend::role::matrix, position> { using dim::operator=; } position;
inline constexpr struct segment final : attend::dim<"segment", attend::role::matrix, segment> { using dim::operator=; } segment;
// clang-format on

/// The sizes of MiniLM-L6, each with the name of its dimension.
inline constexpr std::size_t layers = 6;
inline constexpr auto features = c = 384_c;         // of a token between the layers
inline constexpr auto heads = n = 12_c;             // of attention
inline constexpr auto projected = e = 384_c;        // features of all heads side by side: 12 x 32
inline constexpr auto hidden = f = 1536_c;          // features inside the second half of a layer
inline constexpr auto vocabulary = word = 30522_c;  // pieces that have an embedding
inline constexpr auto positions = position = 512_c; // places that have an embedding
inline constexpr auto segments = segment = 2_c;     // first or second text; here all is first

template <auto Rows>
using table_parameters = attend::nn::embedding_parameters<Rows, features>;
using norm_parameters = attend::nn::norm_parameters<features>;

/// What a token is: its piece, its place, its segment.
struct embedding_parameters {
  BOOST_HANA_DEFINE_STRUCT(embedding_parameters, (table_parameters<vocabulary>, word_embeddings),
                           (table_parameters<positions>, position_embeddings),
                           (table_parameters<segments>, token_type_embeddings), (norm_parameters, LayerNorm));
};

/// A linear map whose parameters are of T, and so is what it is applied to.
using attend::nn::linear_parameters;

/// What makes the queries, keys and values.
template <class T>
struct projection_parameters {
  using linear = linear_parameters<projected, features, T>;
  BOOST_HANA_DEFINE_STRUCT(projection_parameters, (linear, query), (linear, key), (linear, value));
};

/// A linear map back to the features, added to what went in, and normalised.
template <auto In, class T>
struct output_parameters {
  using linear = linear_parameters<features, In, T>;
  BOOST_HANA_DEFINE_STRUCT(output_parameters, (linear, dense), (norm_parameters, LayerNorm));
};

/// The first half of a layer.
template <class T>
struct attention_parameters {
  using projections = projection_parameters<T>;
  using mixing = output_parameters<projected, T>;
  BOOST_HANA_DEFINE_STRUCT(attention_parameters, (projections, self), (mixing, output));
};

/// The linear map to the hidden features.
template <class T>
struct intermediate_parameters {
  using linear = linear_parameters<hidden, features, T>;
  BOOST_HANA_DEFINE_STRUCT(intermediate_parameters, (linear, dense));
};

/// One layer: attention, then two linear maps with a GELU between them.
template <class T>
struct layer_parameters {
  using first = attention_parameters<T>;
  using inner = intermediate_parameters<T>;
  using outer = output_parameters<hidden, T>;
  BOOST_HANA_DEFINE_STRUCT(layer_parameters, (first, attention), (inner, intermediate), (outer, output));
};

/// The layers, one after the other.
template <class T>
struct encoder_parameters {
  using stack = std::array<layer_parameters<T>, layers>;
  BOOST_HANA_DEFINE_STRUCT(encoder_parameters, (stack, layer));
};

/// All parameters of MiniLM-L6.
template <class T>
struct model_parameters {
  using stack = encoder_parameters<T>;
  BOOST_HANA_DEFINE_STRUCT(model_parameters, (embedding_parameters, embeddings), (stack, encoder));
};

} // namespace sentence
