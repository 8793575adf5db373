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

// Whether what was given are distinct named extents.
template <class T, class... E>
constexpr auto checked_extents() {
  if constexpr (((broken<E> || std::is_same_v<E, ill_formed_extent>) || ...)) return ill_formed{};
  else if constexpr (!element_type<std::remove_const_t<T>>) return violation<rule::element_types<argument_given<T>>>{};
  else if constexpr (!(is_extent<E> && ...)) return violation<rule::extents_by_name<argument_given<E>...>>{};
  else if constexpr (!distinct<types<typename E::dim...>>) return violation<rule::dims_distinct<dims_of_x<typename E::dim...>>>{};
  else return fine{};
}
template <class T, class... E>
inline constexpr bool extents_are_right = std::is_same_v<decltype(checked_extents<T, E...>()), fine>;

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

// A tensor whose elements are not set, or the rule that its description breaks.
template <class T, class... E>
auto raw(E... e) {
  if constexpr (!extents_are_right<T, E...>) return checked_extents<T, E...>();
  else {
    auto v = shaped<T, struct host>(static_cast<T*>(nullptr), e...);
    auto memory = allocate<T>(v.size());
    v.data = memory.get();
    return [&]<class S, class... A>(tensor_view<T, S, A...> const& whole) {
      return tensor<T, S, A...>(std::move(memory), whole);
    }(v);
  }
}

template <class T, class... E>
auto filled_with(double x, E... e) {
  auto r = raw<T>(e...);
  if constexpr (!broken<decltype(r)>) std::fill(r.begin(), r.end(), element_of_number<T>(x));
  return r;
}

template <class T, class Draw, class... E>
auto drawn(std::uint64_t stream, Draw draw, E... e) {
  if constexpr (!floating<T>) return violation<rule::random_floats<argument_given<T>>>{};
  else {
    auto r = raw<T>(e...);
    if constexpr (!broken<decltype(r)>) {
      std::mt19937_64 bits(stream);
      for (T& x : r) x = static_cast<T>(draw(bits));
    }
    return r;
  }
}

template <class T, class... E>
auto copied(char const* what, T const* list, std::size_t count, E... e) {
  auto r = raw<T>(e...);
  if constexpr (!broken<decltype(r)>) {
    if (static_cast<long>(count) != r.size()) elements_missing(what, r.size(), static_cast<long>(count));
    std::copy(list, list + count, r.begin());
  }
  return r;
}

} // namespace detail

/// A seed for `normal` and `uniform`; without one, each call continues a fixed sequence of streams.
struct seed {
  std::uint64_t value;
};

/// A tensor whose elements are not set.
template <class T, class... E>
auto uninitialized(E... e) {
  return detail::reported(detail::raw<T>(e...));
}

/// A tensor of elements that all equal `x`.
template <class T, class... E>
auto full(double x, E... e) {
  return detail::reported(detail::filled_with<T>(x, e...));
}
/// A tensor of zeros.
template <class T, class... E>
auto zeros(E... e) {
  return detail::reported(detail::filled_with<T>(0, e...));
}
/// A tensor of ones.
template <class T, class... E>
auto ones(E... e) {
  return detail::reported(detail::filled_with<T>(1, e...));
}

/// A tensor of normally distributed elements, mean 0 and variance 1.
template <class T, class... E>
auto normal(seed stream, E... e) {
  return detail::reported(detail::drawn<T>(stream.value, std::normal_distribution<float>(), e...));
}
template <class T, class... E>
auto normal(E... e) {
  return detail::reported(detail::drawn<T>(detail::next_stream(), std::normal_distribution<float>(), e...));
}

/// A tensor of elements uniform in [0, 1).
template <class T, class... E>
auto uniform(seed stream, E... e) {
  return detail::reported(detail::drawn<T>(stream.value, std::uniform_real_distribution<float>(), e...));
}
template <class T, class... E>
auto uniform(E... e) {
  return detail::reported(detail::drawn<T>(detail::next_stream(), std::uniform_real_distribution<float>(), e...));
}

/// A tensor of the listed elements, in storage order.
/// Throws shape_error when their number is not the product of the extents.
template <class T, class... E>
auto values(std::initializer_list<T> list, E... e) {
  return detail::reported(detail::copied("values(list, dims...)", list.begin(), list.size(), e...));
}

/// A tensor of a copy of contiguous elements. Throws shape_error when their number is not the product of the extents.
template <class T, class... E>
auto copy_of(std::span<T const> list, E... e) {
  return detail::reported(detail::copied("copy_of(elements, dims...)", list.data(), list.size(), e...));
}

/// Strides of a view by name, in elements: `strides(s = 128, d = 1)`.
template <class... D, long... N>
constexpr auto strides(extent<D, N>... e) {
  return tensor_view<bool, anywhere, axis<D, N>...>{{}, nullptr, {}, {e.size()...}};
}

namespace detail {

template <class T, class Space, class... E>
auto view_of(T* data, E... e) {
  if constexpr (!extents_are_right<T, E...>) return checked_extents<T, E...>();
  else return shaped<T, Space>(data, e...);
}

template <class T, class Space, class... SA, class... E>
auto strided_view_of(T* data, tensor_view<bool, anywhere, SA...> by, E... e) {
  if constexpr (!extents_are_right<T, E...>) return checked_extents<T, E...>();
  else if constexpr (minus_t<types<typename E::dim...>, types<typename SA::dim...>>::size > 0 || sizeof...(SA) != sizeof...(E))
    return violation<rule::strides_for_every_dim<dims_of_x<typename E::dim...>, dims_of_strides<typename SA::dim...>>>{};
  else {
    auto v = shaped<T, Space>(data, e...);
    int i = 0;
    ((v.strides[i++] = by.stride(typename E::dim{})), ...);
    return v;
  }
}

template <class Space, class M, class... D>
auto mdspan_view(M const& m, D... d) {
  using T = std::remove_pointer_t<decltype(m.data_handle())>;
  using Checked = decltype(checked_extents<T, extent<D, dynamic>...>());
  if constexpr (broken<Checked>) return Checked{};
  else if constexpr (sizeof...(D) != M::rank()) return violation<rule::names_for_every_dim<dims_of_x<D...>, rank_of_mdspan<static_cast<int>(M::rank())>>>{};
  else {
    auto v = shaped<T, Space>(m.data_handle(), (d = 0l)...);
    for (std::size_t i = 0; i < sizeof...(D); ++i) {
      v.extents[i] = static_cast<long>(m.extent(i));
      v.strides[i] = static_cast<long>(m.stride(i));
    }
    return v;
  }
}

} // namespace detail

/// A view of memory that somebody else keeps, contiguous in the order of the dims given; of device memory it is
/// `view<T, attend::cuda>(pointer, dims...)`.
template <class T, class Space = struct host, class... E>
  requires(std::is_object_v<T>)
auto view(T* data, E... e) {
  return detail::reported(detail::view_of<T, Space>(data, e...));
}
template <class T, auto const& Space, class... E>
  requires(std::is_object_v<T> && memory_space<std::remove_cvref_t<decltype(Space)>>)
auto view(T* data, E... e) {
  return view<T, std::remove_cvref_t<decltype(Space)>>(data, e...);
}

/// A view with a stride for every dim.
template <class T, class Space = struct host, class... SA, class... E>
auto view(T* data, tensor_view<bool, anywhere, SA...> by, E... e) {
  return detail::reported(detail::strided_view_of<T, Space>(data, by, e...));
}
template <class T, auto const& Space, class... SA, class... E>
  requires memory_space<std::remove_cvref_t<decltype(Space)>>
auto view(T* data, tensor_view<bool, anywhere, SA...> by, E... e) {
  return view<T, std::remove_cvref_t<decltype(Space)>>(data, by, e...);
}

/// A view of anything that looks like std::mdspan, its dims named in order.
template <class Space = struct host, class M, dimension... D>
  requires requires(M const& m) { m.data_handle(); m.extent(0); m.stride(0); }
auto view(M const& m, D... d) {
  return detail::reported(detail::mdspan_view<Space>(m, d...));
}

} // namespace attend
