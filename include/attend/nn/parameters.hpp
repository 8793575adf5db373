// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model's parameters as plain structs of views, reflected by Boost.Hana, and a loader that walks them by the names of
// their members: of member `encoder`, its array `layer`, element 0, its `weight`, the tensor "encoder.layer.0.weight".
#pragma once
#include <array>
#include <attend/create.hpp>
#include <boost/hana.hpp>
#include <string>
#include <vector>

namespace attend::nn {

/// A view of f32 elements in a file, its dims and extents in the order of the file: parameter<f = 1536_c, c = 384_c>. An
/// extent that is not a constant is the file's. parameter_of<T, ...> is one of another element type.
template <class T, auto... Extents>
using parameter_of = decltype(attend::view<T const>(nullptr, Extents...));
template <auto... Extents>
using parameter = parameter_of<float, Extents...>;

/// What `linear` takes: weight (Out, In), as PyTorch stores it, and bias (Out).
template <auto Out, auto In, class T = float>
struct linear_parameters {
  using output = typename decltype(Out)::dim;
  using input = typename decltype(In)::dim;
  using matrix = parameter_of<T, Out, In>;
  using vector = parameter_of<T, Out>;
  BOOST_HANA_DEFINE_STRUCT(linear_parameters, (matrix, weight), (vector, bias));
};

/// The same without a bias.
template <auto Out, auto In, class T = float>
struct projection_parameters {
  using output = typename decltype(Out)::dim;
  using input = typename decltype(In)::dim;
  using matrix = parameter_of<T, Out, In>;
  BOOST_HANA_DEFINE_STRUCT(projection_parameters, (matrix, weight));
};

/// What a convolution of one pixel takes: weight (Out, In, h = 1, w = 1) and bias (Out).
template <auto Out, auto In, class T = float>
struct pointwise_parameters {
  using output = typename decltype(Out)::dim;
  using input = typename decltype(In)::dim;
  using kernel = parameter_of<T, Out, In, extent<struct dims::h, 1>{}, extent<struct dims::w, 1>{}>;
  using vector = parameter_of<T, Out>;
  BOOST_HANA_DEFINE_STRUCT(pointwise_parameters, (kernel, weight), (vector, bias));
};

/// What `layer_norm` takes: weight and bias, both (Features).
template <auto Features, class T = float>
struct norm_parameters {
  using features = typename decltype(Features)::dim;
  using vector = parameter_of<T, Features>;
  BOOST_HANA_DEFINE_STRUCT(norm_parameters, (vector, weight), (vector, bias));
};

/// What `embedding` takes: weight (Rows, Features), a row for each id.
template <auto Rows, auto Features, class T = float>
struct embedding_parameters {
  using rows = typename decltype(Rows)::dim;
  using table = parameter_of<T, Rows, Features>;
  BOOST_HANA_DEFINE_STRUCT(embedding_parameters, (table, weight));
};

/// Points `leaf` at the tensor `name` of a file (safetensors, npy_folder), which must outlive it; throws parameter_error
/// where it is missing, or of another type or shape.
template <class T, class Space, class... Dims, long... Extents, class File>
void load(tensor_view<T, Space, axis<Dims, Extents>...>& leaf, File const& file, std::string const& name) {
  std::vector<std::int64_t> shape{Extents...};
  auto const& found = file.shape(name);
  if (found.size() == shape.size())
    for (std::size_t i = 0; i < shape.size(); ++i)
      if (shape[i] == dynamic) shape[i] = found[i];
  auto const elements = file.template tensor<std::remove_const_t<T>>(name, shape);
  std::size_t i = 0;
  long const extents[] = {((void)sizeof(Dims), static_cast<long>(shape[i++]))..., 0};
  leaf = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return attend::view<T>(elements.data(), attend::detail::extent_from<axis<Dims, Extents>>(extents[I])...);
  }(std::index_sequence_for<Dims...>{});
}

/// Loads every element, named by its number.
template <class Struct, std::size_t Size, class File>
void load(std::array<Struct, Size>& parts, File const& file, std::string const& name);

/// Loads every member of a Hana-reflected struct, `name` being the struct's own in the file ("" for the whole).
template <class Struct, class File>
  requires(boost::hana::Struct<Struct>::value)
void load(Struct& whole, File const& file, std::string const& name = "") {
  boost::hana::for_each(boost::hana::keys(whole), [&](auto key) {
    auto& member = boost::hana::at_key(whole, key);
    load(member, file, (name.empty() ? "" : name + ".") + boost::hana::to<char const*>(key));
  });
}

template <class Struct, std::size_t Size, class File>
void load(std::array<Struct, Size>& parts, File const& file, std::string const& name) {
  for (std::size_t i = 0; i < Size; ++i) load(parts[i], file, name + "." + std::to_string(i));
}

} // namespace attend::nn
