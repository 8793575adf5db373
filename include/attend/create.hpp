// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How tensors come to be: owners filled with something, and views of memory that is already there.
#pragma once
#include <algorithm>
#include <atomic>
#include <attend/errors.hpp>
#include <attend/tensor.hpp>
#include <initializer_list>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>

namespace attend {
namespace detail {

// Aborts with a sentence when what was given are not distinct named extents; true otherwise.
template <class T, class... E>
constexpr bool extents_are_right() {
  if constexpr (!element_type<std::remove_const_t<T>>) return refuse<rule::element_types<argument_given<T>>>(), false;
  else if constexpr (!(is_extent<std::remove_cvref_t<E>> && ...))
    return refuse<rule::extents_by_name<argument_given<std::remove_cvref_t<E>>...>>(), false;
  else if constexpr (!distinct<types<typename std::remove_cvref_t<E>::dim...>>)
    return refuse<rule::dims_distinct<dims_of_x<typename std::remove_cvref_t<E>::dim...>>>(), false;
  else return true;
}

template <class D>
long valid_extent(long n) {
  if (n < 0) throw shape_error("a tensor requires extents of at least 0; the extent of '" + D::name() + "' is " + std::to_string(n));
  return n;
}

template <class T, class Space, class... D, long... N>
tensor_view<T, Space, axis<D, N>...> shaped(T* data, extent<D, N>... e) {
  tensor_view<T, Space, axis<D, N>...> v{{}, data, {valid_extent<D>(e.size())...}, {}};
  row_major(v);
  return v;
}

// 64-byte alignment: a cache line, and the widest vector.
template <class T>
std::shared_ptr<T[]> allocate(long n) {
  if (n > std::numeric_limits<long>::max() / static_cast<long>(sizeof(T))) throw std::bad_alloc();
  auto const bytes = std::max<std::size_t>(static_cast<std::size_t>(n) * sizeof(T), 1);
  auto* const p = static_cast<T*>(::operator new(bytes, std::align_val_t{64}));
  return {p, [](T* q) { ::operator delete(q, std::align_val_t{64}); }};
}

// Tensors filled one after the other with random numbers get different streams, the same in every run.
inline std::uint64_t next_stream() {
  static std::atomic<std::uint64_t> stream{0};
  return stream++;
}

template <class T>
T element_of_number(double x) {
  if constexpr (std::same_as<T, bool>) return x != 0;
  else return static_cast<T>(x);
}

} // namespace detail

/// A seed for `normal` and `uniform`; without one, each call continues a fixed sequence of streams.
struct seed {
  std::uint64_t value;
};

/// A tensor whose elements are not set.
template <class T, class... E>
auto uninitialized(E... e) {
  if constexpr (!detail::extents_are_right<T, E...>()) return ill_formed{};
  else {
    auto v = detail::shaped<T, host>(static_cast<T*>(nullptr), e...);
    auto memory = detail::allocate<T>(v.size());
    v.data = memory.get();
    return [&]<class S, class... A>(tensor_view<T, S, A...> const& whole) {
      return tensor<T, S, A...>(std::move(memory), whole);
    }(v);
  }
}

/// A tensor of elements that all equal `x`.
template <class T, class... E>
auto full(double x, E... e) {
  auto r = uninitialized<T>(e...);
  if constexpr (!detail::broken<decltype(r)>) std::fill(r.begin(), r.end(), detail::element_of_number<T>(x));
  return r;
}
/// A tensor of zeros.
template <class T, class... E>
auto zeros(E... e) {
  return full<T>(0, e...);
}
/// A tensor of ones.
template <class T, class... E>
auto ones(E... e) {
  return full<T>(1, e...);
}

/// A tensor of normally distributed elements, mean 0 and variance 1.
template <floating T, class... E>
auto normal(seed stream, E... e) {
  auto r = uninitialized<T>(e...);
  if constexpr (!detail::broken<decltype(r)>) {
    std::mt19937_64 bits(stream.value);
    std::normal_distribution<float> draw;
    for (T& x : r) x = static_cast<T>(draw(bits));
  }
  return r;
}
template <floating T, class... E>
auto normal(E... e) {
  return normal<T>(seed{detail::next_stream()}, e...);
}

/// A tensor of elements uniform in [0, 1).
template <floating T, class... E>
auto uniform(seed stream, E... e) {
  auto r = uninitialized<T>(e...);
  if constexpr (!detail::broken<decltype(r)>) {
    std::mt19937_64 bits(stream.value);
    std::uniform_real_distribution<float> draw;
    for (T& x : r) x = static_cast<T>(draw(bits));
  }
  return r;
}
template <floating T, class... E>
auto uniform(E... e) {
  return uniform<T>(seed{detail::next_stream()}, e...);
}

/// A tensor of the listed elements, in storage order.
/// Throws shape_error when their number is not the product of the extents.
template <class T, class... E>
auto values(std::initializer_list<T> list, E... e) {
  auto r = uninitialized<T>(e...);
  if constexpr (!detail::broken<decltype(r)>) {
    if (static_cast<long>(list.size()) != r.size())
      throw shape_error("values(list, dims...) requires " + std::to_string(r.size()) + " elements; the list has " +
                        std::to_string(list.size()));
    std::copy(list.begin(), list.end(), r.begin());
  }
  return r;
}

/// A tensor of a copy of contiguous elements. Throws shape_error when their number is not the product of the extents.
template <class T, class... E>
auto copy_of(std::span<T const> list, E... e) {
  auto r = uninitialized<T>(e...);
  if constexpr (!detail::broken<decltype(r)>) {
    if (static_cast<long>(list.size()) != r.size())
      throw shape_error("copy_of(elements, dims...) requires " + std::to_string(r.size()) + " elements; there are " +
                        std::to_string(list.size()));
    std::copy(list.begin(), list.end(), r.begin());
  }
  return r;
}

/// Strides of a view by name, in elements: `strides(s = 128, d = 1)`.
template <class... D, long... N>
constexpr auto strides(extent<D, N>... e) {
  return tensor_view<bool, anywhere, axis<D, N>...>{{}, nullptr, {}, {e.size()...}};
}

/// A view of memory that somebody else keeps, contiguous in the order of the dims given.
template <class T, class Space = host, class... E>
  requires(std::is_object_v<T>)
auto view(T* data, E... e) {
  if constexpr (!detail::extents_are_right<T, E...>()) return ill_formed{};
  else return detail::shaped<T, Space>(data, e...);
}

/// A view with a stride for every dim.
template <class T, class Space = host, class... SA, class... E>
auto view(T* data, tensor_view<bool, anywhere, SA...> by, E... e) {
  if constexpr (!detail::extents_are_right<T, E...>()) return ill_formed{};
  else {
    using given = detail::types<typename SA::dim...>;
    if constexpr (sizeof...(SA) != sizeof...(E) || !(detail::in<typename E::dim, given> && ...))
      return detail::refuse<rule::strides_for_every_dim<dims_of_x<typename E::dim...>, argument_given<given>>>();
    else {
      auto v = detail::shaped<T, Space>(data, e...);
      int i = 0;
      ((v.strides[i++] = by.stride(typename E::dim{})), ...);
      return v;
    }
  }
}

/// A view of anything that looks like std::mdspan, its dims named in order.
template <class Space = host, class M, dimension... D>
  requires requires(M const& m) { m.data_handle(); m.extent(0); m.stride(0); }
auto view(M const& m, D... d) {
  using T = std::remove_pointer_t<decltype(m.data_handle())>;
  static_assert(sizeof...(D) == M::rank(), "view(mdspan, dims...) requires a name for every dimension of the mdspan");
  static_assert(detail::distinct<detail::types<D...>>, "view(mdspan, dims...) requires its dimensions to be different");
  auto v = detail::shaped<T, Space>(m.data_handle(), (d = 0l)...);
  for (std::size_t i = 0; i < sizeof...(D); ++i) {
    v.extents[i] = static_cast<long>(m.extent(i));
    v.strides[i] = static_cast<long>(m.stride(i));
  }
  return v;
}

} // namespace attend
