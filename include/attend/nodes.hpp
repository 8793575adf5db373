// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The grammar: every node of an expression, with its dims, its element type and its orientation.
//
//   leaves       tensor_view, owned (tensor.hpp), scalar, index_node, length_node
//   elementwise  elementwise<Op, X...>
//   products     contraction<X, Y, dims>
//   reductions   reduction<Op, X, dims>, softmax_node<X, dims, Empty>
//   look-ups     gather_node<Table, Ids, D>, dropout_node<X>
//   views        transposed, oriented_node, renamed, split_node, merged, sliced, at_node
//   plans        as_written_node
//   masks        keep_mask, drop_mask: what masked() takes, no expressions themselves
#pragma once
#include <attend/op.hpp>
#include <attend/pack.hpp>
#include <attend/tensor.hpp>
#include <initializer_list>

namespace attend {

namespace op {
// Reductions that are not elementwise operations too.
struct sum { static constexpr char const* symbol = "sum"; };
struct mean { static constexpr char const* symbol = "mean"; };
struct logsumexp { static constexpr char const* symbol = "logsumexp"; };
} // namespace op

/// A number. Its type does not raise the type of a tensor it meets.
template <class T>
struct scalar : node<scalar<T>> {
  using value_type = T;
  using space = anywhere;
  using shape = attend::shape<>;
  using orientation = no_orientation;
  T value;
};

/// The position along D.
template <class D>
struct index_node : node<index_node<D>> {
  using value_type = std::int64_t;
  using space = anywhere;
  using shape = attend::shape<axis<D, unknown>>;
  using orientation = no_orientation;
};

/// The extent of D where this stands.
template <class D>
struct length_node : node<length_node<D>> {
  using value_type = std::int64_t;
  using space = anywhere;
  using shape = attend::shape<axis<D, unknown>>;
  using orientation = no_orientation;
};

namespace detail {

template <class X>
inline constexpr bool is_scalar = false;
template <class T>
inline constexpr bool is_scalar<scalar<T>> = true;

// The element type of an operation on X and Y: a number adapts to the tensor it meets.
template <class X, class Y>
struct joined_type : promoted<typename X::value_type, typename Y::value_type> {};
// where(c, 1.0, 0.0): of numbers alone, f32 is enough
template <class T, class U>
  requires(floating<T> || floating<U>)
struct joined_type<scalar<T>, scalar<U>> {
  using type = float;
};
template <class T, class Y>
  requires(!is_scalar<Y>)
struct joined_type<scalar<T>, Y> {
  using V = typename Y::value_type;
  using type = std::conditional_t<floating<T> && !floating<V>, float, V>;
};
template <class X, class T>
  requires(!is_scalar<X>)
struct joined_type<X, scalar<T>> : joined_type<scalar<T>, X> {};

template <class T>
using as_floating = std::conditional_t<floating<T>, T, float>;

template <class... S>
struct joined_space {
  using type = anywhere;
};
template <class S, class... Rest>
struct joined_space<S, Rest...> {
  using type = S;
};
template <class... Rest>
  requires(sizeof...(Rest) > 0)
struct joined_space<anywhere, Rest...> : joined_space<Rest...> {};

// Dims, orientation and space of operands together.
template <class... X>
struct joined;
template <class X>
struct joined<X> {
  using shape = typename X::shape;
  using orientation = typename X::orientation;
  using value_type = typename X::value_type;
};
template <class X, class Y>
struct joined<X, Y> {
  using shape = unite_shapes<typename X::shape, typename Y::shape>;
  using orientation = typename join_orientation<typename X::orientation, typename Y::orientation>::type;
  using value_type = typename joined_type<X, Y>::type;
};
template <class X, class Y, class Z>
struct joined<X, Y, Z> {
  using shape = unite_shapes<unite_shapes<typename X::shape, typename Y::shape>, typename Z::shape>;
  using orientation = typename join_orientation<
      typename join_orientation<typename X::orientation, typename Y::orientation>::type, typename Z::orientation>::type;
  using value_type = typename joined_type<Y, Z>::type; // where(c, x, y)
};

template <class Op>
inline constexpr bool is_condition = in<Op, types<op::less, op::less_equal, op::equal, op::not_equal, op::both, op::either, op::no>>;
template <class Op>
inline constexpr bool keeps_whole = in<Op, types<op::add, op::sub, op::mul, op::max, op::min, op::neg, op::abs, op::where, op::filled>>;

template <class Op, class V>
struct result_type {
  using type = std::conditional_t<is_condition<Op>, bool, std::conditional_t<keeps_whole<Op>, V, as_floating<V>>>;
};
template <class T, class V>
struct result_type<op::cast<T>, V> {
  using type = T;
};
template <class V>
struct result_type<op::random, V> {
  using type = std::int64_t;
};

} // namespace detail

/// Op of each element of X..., broadcast by name. Dims: of the first operand in its order, then the others' further ones.
template <class Op, class... X>
struct elementwise : node<elementwise<Op, X...>> {
  using value_type = typename detail::result_type<Op, typename detail::joined<X...>::value_type>::type;
  using space = typename detail::joined_space<typename X::space...>::type;
  using shape = typename detail::joined<X...>::shape;
  using orientation = typename detail::joined<X...>::orientation;
  using operands = detail::types<X...>;
  detail::pack<X...> x;
};

/// masked: the condition comes first, the orientation and the type from the scores.
template <class M, class X>
struct elementwise<op::masked, M, X> : node<elementwise<op::masked, M, X>> {
  using value_type = detail::as_floating<typename X::value_type>;
  using space = typename detail::joined_space<typename M::space, typename X::space>::type;
  using shape = detail::unite_shapes<typename X::shape, typename M::shape>;
  using orientation = typename X::orientation;
  using operands = detail::types<M, X>;
  detail::pack<M, X> x;
};

/// where and filled: the condition comes first, dims and orientation are those of the values first.
template <class Op, class C, class X, class Y>
  requires std::is_base_of_v<op::where, Op>
struct elementwise<Op, C, X, Y> : node<elementwise<Op, C, X, Y>> {
  using value_type = typename detail::joined_type<X, Y>::type;
  using space = typename detail::joined_space<typename C::space, typename X::space, typename Y::space>::type;
  using shape = typename detail::joined<X, Y, C>::shape;
  using orientation = typename detail::joined<X, Y, C>::orientation;
  using operands = detail::types<C, X, Y>;
  detail::pack<C, X, Y> x;
};

namespace detail {
/// An elementwise node of operands that are known to go together.
template <class Op, class... X>
constexpr auto elementwise_of(X const&... x) {
  return elementwise<Op, X...>{{}, {{x}...}};
}
/// Operand I of an elementwise node.
template <int I, class Op, class... X>
constexpr auto const& operand_of(elementwise<Op, X...> const& e) {
  return static_cast<slot<I, element_of_t<types<X...>, I>> const&>(e.x).value;
}

// Dims of a contraction: of X in its order, the last row or column contracted replaced by what matrix dims Y brings, then Y's others.
template <class Dx, class Dy, class D>
struct contraction_dims;
template <class... X, class Dy, class D>
struct contraction_dims<types<X...>, Dy, D> {
  using others = minus_t<minus_t<Dy, D>, types<X...>>;
  using brought = matrix_dims_t<others>;
  using replaced = last_matrix_dim<common_t<types<X...>, D>>;
  using type = concat_t<std::conditional_t<std::is_same_v<X, replaced>, brought,
                                           std::conditional_t<in<X, D>, types<>, types<X>>>...,
                        minus_t<others, brought>>;
};
} // namespace detail

/// The sum over D... of X times Y, everything else by name. It has no row and no column; products by `*` name theirs.
template <class X, class Y, class Dims, class Orientation = no_orientation>
struct contraction : node<contraction<X, Y, Dims, Orientation>> {
  using value_type = typename detail::joined_type<X, Y>::type;
  using space = typename detail::joined_space<typename X::space, typename Y::space>::type;
  using shape = detail::shape_with_t<typename detail::contraction_dims<typename X::shape::dims, typename Y::shape::dims, Dims>::type,
                                     typename X::shape, typename Y::shape>;
  using orientation = Orientation;
  X x;
  Y y;
};

/// Op (op::sum, op::mean, op::max, op::min, op::logsumexp) over the dims listed.
template <class Op, class X, class Dims>
struct reduction : node<reduction<Op, X, Dims>> {
  using value_type = std::conditional_t<detail::in<Op, detail::types<op::mean, op::logsumexp>>,
                                        detail::as_floating<typename X::value_type>, typename X::value_type>;
  using space = typename X::space;
  using shape = detail::drop_dims<typename X::shape, Dims>;
  using orientation = detail::natural_orientation<shape>;
  X x;
};

/// exp(x) / sum(exp(x)) over the dims listed; Empty says what a row with nothing kept gives.
template <class X, class Dims, class Empty, class Orientation>
struct softmax_node : node<softmax_node<X, Dims, Empty, Orientation>> {
  using value_type = detail::as_floating<typename X::value_type>;
  using space = typename X::space;
  using shape = typename X::shape;
  using orientation = Orientation;
  X x;
  bool guard = true; // false: a softmax written by hand whose numerator and denominator are different tensors
};

/// table at ids along D: dims of the ids, then the table's others.
template <class Table, class Ids, class D>
struct gather_node : node<gather_node<Table, Ids, D>> {
  using value_type = typename Table::value_type;
  using space = typename detail::joined_space<typename Table::space, typename Ids::space>::type;
  using rest = detail::drop_dims<typename Table::shape, detail::types<D>>;
  using shape = detail::unite_shapes<typename Ids::shape, rest>;
  // an embedding (..., s, c) is a matrix of both; a table of numbers leaves rows and columns to the ids
  using orientation = std::conditional_t<(detail::matrix_dims_t<typename rest::dims>::size > 0), detail::natural_orientation<shape>, typename Ids::orientation>;
  Table table;
  Ids ids;
};

/// x with probability 1 - p, scaled by 1 / (1 - p), else 0; Philox draws counted along the dims of x in their order.
template <class X>
struct dropout_node : node<dropout_node<X>> {
  using value_type = detail::as_floating<typename X::value_type>;
  using space = typename X::space;
  using shape = typename X::shape;
  using orientation = typename X::orientation;
  X x;
  double p;
  long seed;
};

namespace detail {
template <class O, class F, class T>
struct rename_in_orientation {
  using type = orient<rename_dim<typename O::row, F, T>, rename_dim<typename O::column, F, T>>;
};
// Views that change which dims there are keep the orientation where its dims are still there.
template <class O, class Shape>
struct kept_orientation {
  using type = natural_orientation<Shape>;
};
template <class R, class C, class Shape>
  requires(in<R, typename Shape::dims> && in<C, typename Shape::dims> && !std::is_same_v<R, conflict>)
struct kept_orientation<orient<R, C>, Shape> {
  using type = orient<R, C>;
};
} // namespace detail

/// Row and column swapped; nothing moves.
template <class X>
struct transposed : node<transposed<X>> {
  using value_type = typename X::value_type;
  using space = typename X::space;
  using shape = typename X::shape;
  using orientation = orient<typename X::orientation::column, typename X::orientation::row>;
  X x;
};

/// Row and column named.
template <class X, class Row, class Column>
struct oriented_node : node<oriented_node<X, Row, Column>> {
  using value_type = typename X::value_type;
  using space = typename X::space;
  using shape = typename X::shape;
  using orientation = orient<Row, Column>;
  X x;
};

/// From is called To.
template <class X, class From, class To>
struct renamed : node<renamed<X, From, To>> {
  using value_type = typename X::value_type;
  using space = typename X::space;
  using shape = typename detail::rename_in_shape<typename X::shape, From, To>::type;
  using orientation = typename detail::rename_in_orientation<typename X::orientation, From, To>::type;
  X x;
};

namespace detail {
constexpr long product_of_extents(std::initializer_list<long> parts) {
  long n = 1;
  for (long p : parts) n = p < 0 || n < 0 ? dynamic : n * p;
  return n;
}
} // namespace detail

/// C is the product of the axes Parts, the first the slowest.
template <class X, class C, class... Parts>
struct split_node : node<split_node<X, C, Parts...>> {
  using value_type = typename X::value_type;
  using space = typename X::space;
  using shape = typename detail::replace_axis<typename X::shape, C, Parts...>::type;
  using orientation = typename detail::kept_orientation<typename X::orientation, shape>::type;
  X x;
  long extents[sizeof...(Parts)]; // dynamic: what the others leave
};

/// The dims of a list, the first the slowest, are one dim C.
template <class X, class Dims, class C>
struct merged;
template <class X, class First, class... D, class C>
struct merged<X, detail::types<First, D...>, C> : node<merged<X, detail::types<First, D...>, C>> {
  using value_type = typename X::value_type;
  using space = typename X::space;
  static constexpr long extent = detail::product_of_extents({detail::extent_in<typename X::shape, First>, detail::extent_in<typename X::shape, D>...});
  using last = detail::element_of_t<detail::types<First, D...>, sizeof...(D)>;
  // C stands where the last of the dims stood: (b, s, n, d) and (b, n, s, d) both give (b, s, c)
  using shape = typename detail::replace_axis<detail::drop_dims<typename X::shape, detail::minus_t<detail::types<First, D...>, detail::types<last>>>, last, axis<C, extent>>::type;
  using orientation = typename detail::kept_orientation<no_orientation, shape>::type;
  X x;
};

/// Positions begin to end of D; Extent is their number where the compiler knows it.
template <class X, class D, long Extent>
struct sliced : node<sliced<X, D, Extent>> {
  using value_type = typename X::value_type;
  using space = typename X::space;
  using shape = typename detail::replace_axis<typename X::shape, D, axis<D, Extent>>::type;
  using orientation = typename X::orientation;
  X x;
  long begin, end;
};

/// Position i of D, without D.
template <class X, class D>
struct at_node : node<at_node<X, D>> {
  using value_type = typename X::value_type;
  using space = typename X::space;
  using shape = detail::drop_dims<typename X::shape, detail::types<D>>;
  using orientation = typename detail::kept_orientation<typename X::orientation, shape>::type;
  X x;
  long i;
};

/// x, its products in the order in which they are written.
template <class X>
struct as_written_node : node<as_written_node<X>> {
  using value_type = typename X::value_type;
  using space = typename X::space;
  using shape = typename X::shape;
  using orientation = typename X::orientation;
  X x;
};

/// A mask whose true keeps.
template <class M>
struct keep_mask {
  M m;
};
/// A mask whose true drops.
template <class M>
struct drop_mask {
  M m;
};

namespace detail {
/// Whether a node of which Is<Node>::value is true stands anywhere in a tree.
template <template <class> class Is, class X>
inline constexpr bool stands_in = false;
template <template <class> class Is, template <class...> class Node, class... X>
inline constexpr bool stands_in<Is, Node<X...>> = Is<Node<X...>>::value || (stands_in<Is, X> || ...);
template <template <class> class Is, class X, class D, long N>
inline constexpr bool stands_in<Is, sliced<X, D, N>> = stands_in<Is, X>;
// lists of dims have no nodes in them
template <template <class> class Is, class... D>
inline constexpr bool stands_in<Is, types<D...>> = false;
template <template <class> class Is, class T, class S, class... A>
inline constexpr bool stands_in<Is, tensor_view<T, S, A...>> = Is<tensor_view<T, S, A...>>::value;
} // namespace detail

} // namespace attend
