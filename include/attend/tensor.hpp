// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors: a view (pointer, extents, strides; dims in the type), an owner of memory, and how an expression holds them.
#pragma once
#include <attend/rules.hpp>
#include <attend/shape.hpp>
#include <attend/types.hpp>
#include <memory>
#include <new>
#include <utility>

namespace attend {

/// Memory spaces: where a tensor lives is part of its type. Like dims they are types with an object of the same name.
inline constexpr struct host {
  static constexpr char const* name = "host";
} host;
inline constexpr struct cuda {
  static constexpr char const* name = "cuda";
} cuda;
template <class Space>
concept memory_space = std::same_as<Space, struct host> || std::same_as<Space, struct cuda>;
/// The space of what has no memory: numbers and positions.
struct anywhere {
  static constexpr char const* name = "anywhere";
};

/// Base of every node of an expression.
template <class Self>
struct node {
  static constexpr bool is_node = true;
};
template <class E>
concept expression = requires { requires std::remove_cvref_t<E>::is_node; };

/// A tensor in somebody else's memory: strides count elements and may be 0 or negative.
template <class T, class Space, class... Axes>
struct tensor_view : node<tensor_view<T, Space, Axes...>> {
  using value_type = std::remove_const_t<T>;
  using space = Space;
  using shape = attend::shape<Axes...>;
  using orientation = detail::natural_orientation<shape>;
  static constexpr int rank = sizeof...(Axes);

  T* data;
  long extents[rank ? rank : 1];
  long strides[rank ? rank : 1];

  /// Number of elements.
  constexpr long size() const {
    long n = 1;
    for (int i = 0; i < rank; ++i) n *= extents[i];
    return n;
  }
  template <dimension D>
  constexpr long extent(D) const {
    return extents[detail::index_in<D>(typename shape::dims{})];
  }
  template <dimension D>
  constexpr long stride(D) const {
    return strides[detail::index_in<D>(typename shape::dims{})];
  }
  /// The element at a position given by name: `x(b = 1, s = 2)`; dims left out are at 0.
  template <class... D, long... N>
  constexpr T& operator()(attend::extent<D, N>... at) const {
    static_assert(!std::same_as<Space, struct cuda>, "x(dims...) requires 'x' to be in host memory: copy_to(host, x)");
    long offset = 0;
    ((offset += at.size() * stride(D{})), ...);
    return data[offset];
  }
  /// The same view, of elements that cannot be written.
  constexpr tensor_view<T const, Space, Axes...> readable() const {
    tensor_view<T const, Space, Axes...> r{{}, data, {}, {}};
    for (int i = 0; i < rank; ++i) r.extents[i] = extents[i], r.strides[i] = strides[i];
    return r;
  }
};

/// A tensor that owns its memory, contiguous in the order of its dims; 64-byte aligned. Elements in device memory are
/// not the host's to touch: copy_to(host, x).
template <class T, class Space, class... Axes>
class tensor : public node<tensor<T, Space, Axes...>> {
public:
  using value_type = T;
  using space = Space;
  using shape = attend::shape<Axes...>;
  using orientation = detail::natural_orientation<shape>;
  using view_type = tensor_view<T, Space, Axes...>;
  static constexpr bool touchable = !std::same_as<Space, struct cuda>;

  tensor(std::shared_ptr<T[]> memory, view_type const& whole) : memory_(std::move(memory)), whole_(whole) {}
  tensor(tensor&&) = default;
  tensor& operator=(tensor&&) = default;
  tensor(tensor const&) = delete; // a copy of a tensor is an expression: evaluate(x)

  T* data() { return whole_.data; }
  T const* data() const { return whole_.data; }
  T* begin() requires touchable { return whole_.data; }
  T* end() requires touchable { return whole_.data + size(); }
  T const* begin() const requires touchable { return whole_.data; }
  T const* end() const requires touchable { return whole_.data + size(); }
  long size() const { return whole_.size(); }
  template <dimension D>
  long extent(D d) const {
    return whole_.extent(d);
  }
  template <class... D, long... N>
  T& operator()(attend::extent<D, N>... at) {
    return whole_(at...);
  }
  template <class... D, long... N>
  T const& operator()(attend::extent<D, N>... at) const {
    return whole_(at...);
  }
  view_type view() { return whole_; }
  tensor_view<T const, Space, Axes...> view() const { return whole_.readable(); }
  std::shared_ptr<T[]> const& memory() const { return memory_; }

private:
  std::shared_ptr<T[]> memory_;
  view_type whole_;
};

/// A tensor moved into an expression.
template <class T, class Space, class... Axes>
struct owned : node<owned<T, Space, Axes...>> {
  using value_type = T;
  using space = Space;
  using shape = attend::shape<Axes...>;
  using orientation = detail::natural_orientation<shape>;
  std::shared_ptr<T[]> memory;
  tensor_view<T const, Space, Axes...> whole;
};

/// What refers to nothing after an error: every operation on it is silent, so that one mistake is one message.
struct ill_formed : node<ill_formed> {
  using value_type = float;
  using space = anywhere;
  using shape = attend::shape<>;
  using orientation = no_orientation;
  static constexpr int rank = 0;

  // what a tensor has, for the code that goes on using it
  static float* data() { return nullptr; }
  static float* begin() { return nullptr; }
  static float* end() { return nullptr; }
  static long size() { return 0; }
  template <class D>
  static long extent(D const&) { return 0; }
  template <class D>
  static long stride(D const&) { return 0; }
  template <class... At>
  float& operator()(At const&...) const { return *data(); }
  static ill_formed view() { return {}; }
  static ill_formed readable() { return {}; }
};

namespace detail {

/// A broken rule on its way from where it was found to the operation that the user called.
template <class Rule>
struct violation : ill_formed {};
/// The answer of a check that finds nothing wrong.
struct fine {};

template <class X>
inline constexpr bool broken = std::is_base_of_v<ill_formed, std::remove_cvref_t<X>>;

// What every operation that a user calls returns: its result, or ill_formed once the broken rule has said its sentence.
template <class X>
constexpr X reported(X x) {
  return x;
}
template <class Rule>
constexpr ill_formed reported(violation<Rule>) {
  static_assert(sizeof(Rule) > 0);
  return {};
}

// How an expression holds an operand: a tensor that has a name by view, one that has none by its memory.
template <class E>
constexpr E&& as_node(E&& e) {
  return static_cast<E&&>(e);
}
template <class T, class S, class... A>
constexpr tensor_view<T const, S, A...> as_node(tensor<T, S, A...> const& x) {
  return x.view();
}
template <class T, class S, class... A>
constexpr tensor_view<T const, S, A...> as_node(tensor<T, S, A...>& x) {
  return x.view().readable();
}
template <class T, class S, class... A>
owned<T, S, A...> as_node(tensor<T, S, A...>&& x) {
  return {{}, x.memory(), x.view().readable()};
}
// clang-format off
template <class T, class S, class... A> requires(!std::is_const_v<T>)
constexpr tensor_view<T const, S, A...> as_node(tensor_view<T, S, A...> const& x) { return x.readable(); }
template <class T, class S, class... A> requires(!std::is_const_v<T>)
constexpr tensor_view<T const, S, A...> as_node(tensor_view<T, S, A...>& x) { return x.readable(); }
template <class T, class S, class... A> requires(!std::is_const_v<T>)
constexpr tensor_view<T const, S, A...> as_node(tensor_view<T, S, A...>&& x) { return x.readable(); }
// clang-format on

template <class V>
constexpr void row_major(V& v) {
  long step = 1;
  for (int i = V::rank; i-- > 0;) {
    v.strides[i] = step;
    step *= v.extents[i];
  }
}

} // namespace detail

/// How long a dim of a tensor is, as an extent for another tensor: `split(x, t, extent_of(image, h), w)`. Static where
/// the tensor's is.
template <class T, class S, class... A, class D>
  requires(detail::in<D, detail::types<typename A::dim...>>)
constexpr auto extent_of(tensor_view<T, S, A...> const& x, D dim) {
  constexpr long n = detail::extent_in<shape<A...>, D>;
  if constexpr (n >= 0) return extent<D, n>{};
  else return extent<D, dynamic>{x.extent(dim)};
}
template <class T, class S, class... A, class D>
constexpr auto extent_of(tensor<T, S, A...> const& x, D dim) {
  return extent_of(x.view(), dim);
}

} // namespace attend
