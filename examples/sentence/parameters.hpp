// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model's parameters as a struct whose members bear the names that the file gives them, and a loader that walks
// such a struct: member `encoder`, its `layer`, element 0, ... is the tensor "encoder.layer.0. ...".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <boost/hana.hpp>

#include "safetensors.hpp"

namespace sentence {

inline constexpr std::int64_t layers = 6, heads = 12, features = 384, hidden = 1536, vocabulary = 30522, positions = 512;

/// A tensor of known extents in the file's memory.
template <std::int64_t... Extents> struct parameter {
  float const* data = nullptr;
};

/// y = x weightᵀ + bias
template <std::int64_t In, std::int64_t Out> struct linear_parameters {
  using matrix = parameter<Out, In>;
  BOOST_HANA_DEFINE_STRUCT(linear_parameters, (matrix, weight), (parameter<Out>, bias));
};

/// y = (x - mean) / deviation * weight + bias
struct norm_parameters {
  BOOST_HANA_DEFINE_STRUCT(norm_parameters, (parameter<features>, weight), (parameter<features>, bias));
};

/// One row for each id.
template <std::int64_t Rows> struct table_parameters {
  using matrix = parameter<Rows, features>;
  BOOST_HANA_DEFINE_STRUCT(table_parameters, (matrix, weight));
};

/// What a token is: its piece, its place, its segment.
struct embedding_parameters {
  BOOST_HANA_DEFINE_STRUCT(embedding_parameters,                           //
                           (table_parameters<vocabulary>, word_embeddings), //
                           (table_parameters<positions>, position_embeddings),
                           (table_parameters<2>, token_type_embeddings), (norm_parameters, LayerNorm));
};

/// Where the queries, keys and values come from.
struct projection_parameters {
  using square = linear_parameters<features, features>;
  BOOST_HANA_DEFINE_STRUCT(projection_parameters, (square, query), (square, key), (square, value));
};

/// A linear map back to the features, added to what went in, and normalised.
template <std::int64_t In> struct output_parameters {
  using map = linear_parameters<In, features>;
  BOOST_HANA_DEFINE_STRUCT(output_parameters, (map, dense), (norm_parameters, LayerNorm));
};

/// The first half of a layer.
struct attention_parameters {
  BOOST_HANA_DEFINE_STRUCT(attention_parameters, (projection_parameters, self), (output_parameters<features>, output));
};

/// The linear map to the hidden features.
struct intermediate_parameters {
  using map = linear_parameters<features, hidden>;
  BOOST_HANA_DEFINE_STRUCT(intermediate_parameters, (map, dense));
};

/// One layer: attention, then two linear maps with a GELU between them.
struct layer_parameters {
  BOOST_HANA_DEFINE_STRUCT(layer_parameters, (attention_parameters, attention),
                           (intermediate_parameters, intermediate), (output_parameters<hidden>, output));
};

/// The layers, one after the other.
struct encoder_parameters {
  using stack = std::array<layer_parameters, layers>;
  BOOST_HANA_DEFINE_STRUCT(encoder_parameters, (stack, layer));
};

/// All parameters of MiniLM-L6.
struct model_parameters {
  BOOST_HANA_DEFINE_STRUCT(model_parameters, (embedding_parameters, embeddings), (encoder_parameters, encoder));
};

/// Points `leaf` at the tensor `name`; throws `safetensors_error` where it is missing or of another type or shape.
template <std::int64_t... Extents>
void load(parameter<Extents...>& leaf, safetensors const& file, std::string const& name) {
  leaf.data = file.tensor<float>(name, {Extents...}).data();
}

/// Loads every element, named by its number.
template <class Struct, std::size_t Size>
void load(std::array<Struct, Size>& parts, safetensors const& file, std::string const& name);

/// Loads every member of a Hana-reflected struct, `name` being the struct's own in the file ("" for the whole).
template <class Struct>
  requires(boost::hana::Struct<Struct>::value)
void load(Struct& whole, safetensors const& file, std::string const& name = "") {
  boost::hana::for_each(boost::hana::keys(whole), [&](auto key) {
    auto& member = boost::hana::at_key(whole, key);
    load(member, file, (name.empty() ? "" : name + ".") + boost::hana::to<char const*>(key));
  });
}

template <class Struct, std::size_t Size>
void load(std::array<Struct, Size>& parts, safetensors const& file, std::string const& name) {
  for (std::size_t i = 0; i < Size; ++i) load(parts[i], file, name + "." + std::to_string(i));
}

} // namespace sentence
