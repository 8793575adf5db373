// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the canonical tree has beside the written nodes: a buffer, the value of an expression that a step stores before
// another reads it. Two questions asked of canonical trees at run time: how long is a dim, and are two trees the same.
#pragma once
#include <attend/codegen/sizes.hpp>
#include <cstddef>

namespace attend {
namespace op {
/// The same numbers counted as of type T: a cast that widens, or what a plan keeps wider than the language has it.
template <class T>
struct counted_as {
  static constexpr char const* symbol = type_name<T>();
};
} // namespace op
template <class T, class V>
struct detail::result_type<op::counted_as<T>, V> {
  using type = T;
};
} // namespace attend

namespace attend::codegen::inline ATTEND_DETAIL_ISA {

/// The value of X stored as T, contiguous in the order of the dims of Stored, seen as Axes.
/// `memory` is where the plan puts it; a buffer that another one equals is computed once (`computed` is false for the others).
template <class X, class T, class Stored, class... Axes>
struct buffer;
template <class X, class T, class... Stored, class... Axes>
struct buffer<X, T, types<Stored...>, Axes...> : node<buffer<X, T, types<Stored...>, Axes...>> {
  using value_type = T;
  using space = typename X::space;
  using shape = attend::shape<Axes...>;
  using orientation = no_orientation;
  using stored_dims = types<Stored...>;
  static constexpr int rank = sizeof...(Axes);
  X x;
  long extents[rank ? rank : 1];
  long strides[rank ? rank : 1];
  long origin;
  long stored[sizeof...(Stored) > 0 ? sizeof...(Stored) : 1]; // extents of the dims stored
  std::byte* memory;
  bool computed;

  /// All of the memory, in the order in which it is stored.
  tensor_view<T, space, axis<Stored, dynamic>...> whole() const {
    tensor_view<T, space, axis<Stored, dynamic>...> v{{}, reinterpret_cast<T*>(memory), {}, {}};
    for (int i = 0; i < v.rank; ++i) v.extents[i] = stored[i];
    attend::detail::row_major(v);
    return v;
  }
  /// What a view of another buffer, or another tree's, keeps of it.
  template <class Other>
  void same_memory(Other const& other) {
    origin = other.origin, memory = nullptr, computed = true;
    for (int i = 0; i < static_cast<int>(sizeof...(Stored)); ++i) stored[i] = other.stored[i];
  }
};

/// Where nothing is written.
struct no_view {};
/// Where an attention writes its weights, times a number, and the log-sum-exps of its scores.
template <class Weights, class Sums>
struct recorded_views {
  Weights weights;
  Sums sums;
  double weights_scale = 1;
};
/// Weights that are wanted as a result too, or the log-sum-exps of their scores, by the kernel that computes them.
template <class X, class Weights, class Sums>
struct recorded : node<recorded<X, Weights, Sums>> {
  using value_type = typename X::value_type;
  using space = typename X::space;
  using shape = typename X::shape;
  using orientation = no_orientation;
  X x;
  recorded_views<Weights, Sums> to;
};

namespace detail {

template <class X>
inline constexpr bool is_leaf = false;
template <class T, class S, class... A>
inline constexpr bool is_leaf<tensor_view<T, S, A...>> = true;
template <class X, class T, class O, class... A>
inline constexpr bool is_leaf<buffer<X, T, O, A...>> = true;
template <class X>
inline constexpr bool is_buffer = false;
template <class X, class T, class O, class... A>
inline constexpr bool is_buffer<buffer<X, T, O, A...>> = true;

/// Whether a tree is numbers in the processor's memory that count as of another type: kernels that read any type read them
/// as they are stored.
template <class X>
inline constexpr bool read_as_stored = false;
template <class T, class X>
inline constexpr bool read_as_stored<elementwise<op::counted_as<T>, X>> = !std::is_same_v<typename X::space, struct cuda>;

/// Whether an element of a tree is computed from elements of its tensors alone, without a step before. Walks end here:
/// every further call would be a function to compile.
template <class X>
inline constexpr bool is_plain = !is_buffer<X>; // tensors, numbers, positions, placeholders
template <class Op, class... X>
inline constexpr bool is_plain<elementwise<Op, X...>> = (is_plain<X> && ...);
template <class T, class I, class D>
inline constexpr bool is_plain<gather_node<T, I, D>> = is_leaf<T> && is_plain<T> && is_plain<I>;
template <class X, class Y, class D, class O>
inline constexpr bool is_plain<contraction<X, Y, D, O>> = false;
template <class Op, class X, class D>
inline constexpr bool is_plain<reduction<Op, X, D>> = false;
template <class X, class D, class P, class O>
inline constexpr bool is_plain<softmax_node<X, D, P, O>> = false;
template <class X, class W, class L>
inline constexpr bool is_plain<recorded<X, W, L>> = false;
template <class X, class D, class C>
inline constexpr bool is_plain<merged<X, D, C>> = false;

template <class X, class D>
inline constexpr bool has = in<D, typename X::shape::dims>;

/// The run-time extent of D in a canonical tree; `unknown` where nothing in it says.
template <class D>
struct measure {
  template <class X>
  static long of(X const& x) {
    constexpr int at = index_in<D>(typename X::shape::dims{});
    if constexpr (at < 0) return unknown;
    else if constexpr (is_leaf<X>) return x.extents[at];
    else return inner(x);
  }

private:
  static long first(long a, long b) { return a >= 0 ? a : b; }
  template <class X>
  static long inner(X const&) { return unknown; } // positions
  template <class Op, class X>
  static long inner(elementwise<Op, X> const& e) { return of(operand_of<0>(e)); }
  template <class Op, class X, class Y>
  static long inner(elementwise<Op, X, Y> const& e) { return first(of(operand_of<0>(e)), of(operand_of<1>(e))); }
  template <class Op, class X, class Y, class Z>
  static long inner(elementwise<Op, X, Y, Z> const& e) { return first(of(operand_of<0>(e)), first(of(operand_of<1>(e)), of(operand_of<2>(e)))); }
  // a bound dim may have the name of a free one outside
  template <class X, class Y, class B, class O>
  static long inner(contraction<X, Y, B, O> const& e) { return in<D, B> ? unknown : first(of(e.x), of(e.y)); }
  template <class Op, class X, class B>
  static long inner(reduction<Op, X, B> const& e) { return in<D, B> ? unknown : of(e.x); }
  template <class X, class B, class P, class O>
  static long inner(softmax_node<X, B, P, O> const& e) { return of(e.x); }
  template <class X, class W, class L>
  static long inner(recorded<X, W, L> const& e) { return of(e.x); }
  template <class T, class I, class B>
  static long inner(gather_node<T, I, B> const& e) { return first(of(e.ids), std::is_same_v<D, B> ? unknown : of(e.table)); }
  template <class X, class B, class C>
  static long inner(merged<X, B, C> const& e) {
    if constexpr (std::is_same_v<D, C>)
      return [&]<class... P>(types<P...>) { return (measure<P>::of(e.x) * ... * 1); }(B{});
    else return of(e.x);
  }
};
template <class D, class X>
long size_of(X const& x) {
  return measure<D>::of(x);
}

/// Whether two trees of one type are one expression: the same memory, the same numbers.
struct sameness {
  template <class T, class S, class... A>
  static bool of(tensor_view<T, S, A...> const& a, tensor_view<T, S, A...> const& b) { return a.data == b.data && layout(a, b); }
  template <class X, class T, class O, class... A>
  static bool of(buffer<X, T, O, A...> const& a, buffer<X, T, O, A...> const& b) { return a.origin == b.origin && layout(a, b) && of(a.x, b.x); }
  template <class T>
  static bool of(scalar<T> const& a, scalar<T> const& b) { return a.value == b.value; }
  template <class X>
    requires std::is_empty_v<X>
  static bool of(X const&, X const&) { return true; } // positions, placeholders
  template <class Op, class... X>
  static bool of(elementwise<Op, X...> const& a, elementwise<Op, X...> const& b) {
    return [&]<int... I>(std::integer_sequence<int, I...>) { return (of(operand_of<I>(a), operand_of<I>(b)) && ...); }(std::make_integer_sequence<int, sizeof...(X)>{});
  }
  template <class X, class Y, class D, class O>
  static bool of(contraction<X, Y, D, O> const& a, contraction<X, Y, D, O> const& b) { return of(a.x, b.x) && of(a.y, b.y); }
  template <class Op, class X, class D>
  static bool of(reduction<Op, X, D> const& a, reduction<Op, X, D> const& b) { return of(a.x, b.x); }
  template <class X, class D, class P, class O>
  static bool of(softmax_node<X, D, P, O> const& a, softmax_node<X, D, P, O> const& b) { return a.guard == b.guard && of(a.x, b.x); }
  template <class T, class I, class D>
  static bool of(gather_node<T, I, D> const& a, gather_node<T, I, D> const& b) { return of(a.table, b.table) && of(a.ids, b.ids); }
  template <class X, class D, class C>
  static bool of(merged<X, D, C> const& a, merged<X, D, C> const& b) { return of(a.x, b.x); }
  template <class R>
    requires requires { R::is_region; }
  static bool of(R const& a, R const& b) { return a.operands([&](auto const&... x) { return b.operands([&](auto const&... y) { return (of(x, y) && ...); }); }); }

private:
  template <class V>
  static bool layout(V const& a, V const& b) {
    for (int i = 0; i < V::rank; ++i)
      if (a.extents[i] != b.extents[i] || a.strides[i] != b.strides[i]) return false;
    return true;
  }
};
template <class X>
bool same(X const& a, X const& b) {
  return sameness::of(a, b);
}

/// The order in which the value of a tree is stored: that of its operands, so that a product of tensors whose inner dims
/// are next to each other writes long rows.
template <class X>
struct storage_order {
  using type = typename X::shape::dims;
};
template <class X>
using storage_order_t = typename storage_order<X>::type;
template <class X, class Y, class D, class O>
struct storage_order<contraction<X, Y, D, O>> {
  using type = unite_t<minus_t<storage_order_t<X>, D>, minus_t<storage_order_t<Y>, D>>;
};
template <class Op, class X, class... Rest>
struct storage_order<elementwise<Op, X, Rest...>> {
  using type = unite_t<storage_order_t<X>, typename elementwise<Op, X, Rest...>::shape::dims>;
};
template <class M, class X>
struct storage_order<elementwise<op::masked, M, X>> {
  using type = unite_t<storage_order_t<X>, typename M::shape::dims>;
};
template <class C, class X, class Y>
struct storage_order<elementwise<op::where, C, X, Y>> {
  using type = unite_t<storage_order_t<X>, typename elementwise<op::where, C, X, Y>::shape::dims>;
};

template <class X>
struct is_softmax : std::false_type {};
template <class X, class D, class P, class O>
struct is_softmax<softmax_node<X, D, P, O>> : std::true_type {};
template <class X>
inline constexpr bool has_softmax = attend::detail::stands_in<is_softmax, X>;

/// Whether every softmax of a tree that was written by hand is one: numerator and denominator are the same tensors.
struct guarding {
  template <class X>
  static bool of(X const& x) {
    if constexpr (has_softmax<X>) return inner(x);
    else return true;
  }

private:
  template <class Op, class... X>
  static bool inner(elementwise<Op, X...> const& e) {
    return with_values(e.x, [&](auto const&... x) { return (of(x) && ...) && (with_sums(x, e) && ...); });
  }
  template <class X, class E>
  static bool with_sums(X const& x, E const& e) {
    if constexpr (has_softmax<X>) return beside(x, e);
    else return true;
  }
  // A log-sum-exp beside a softmax is that softmax's if it is of the same scores.
  template <class X, class E>
  static bool beside(X const&, E const&) { return true; }
  template <class Op, class... X, class E>
  static bool beside(elementwise<Op, X...> const& s, E const& e) {
    return with_values(s.x, [&](auto const&... x) { return (with_sums(x, e) && ...); });
  }
  template <class X, class D, class P, class O, class E>
  static bool beside(softmax_node<X, D, P, O> const& s, E const& e) { return sums<X, D>::agree(s.x, e); }
  template <class F, class D>
  struct sums {
    template <class X>
    static bool agree(F const&, X const&) { return true; }
    static bool agree(F const& f, reduction<op::logsumexp, F, D> const& e) { return same(f, e.x); }
    template <class Op, class... X>
    static bool agree(F const& f, elementwise<Op, X...> const& e) {
      return with_values(e.x, [&](auto const&... x) { return (agree(f, x) && ...); });
    }
  };
  template <class X, class Y, class D, class O>
  static bool inner(contraction<X, Y, D, O> const& e) { return of(e.x) && of(e.y); }
  template <class Op, class X, class D>
  static bool inner(reduction<Op, X, D> const& e) { return of(e.x); }
  template <class X, class D, class P, class O>
  static bool inner(softmax_node<X, D, P, O> const& e) { return e.guard && of(e.x); }
  template <class T, class I, class D>
  static bool inner(gather_node<T, I, D> const& e) { return of(e.table) && of(e.ids); }
  template <class X, class D, class C>
  static bool inner(merged<X, D, C> const& e) { return of(e.x); }
  template <class X, class T, class S, class... A>
  static bool inner(buffer<X, T, S, A...> const& e) { return of(e.x); }
};
template <class X>
bool guards_hold(X const& x) {
  return guarding::of(x);
}

/// A buffer around another tree, which may be covered or have parts replaced.
template <class X, class T, class S, class... A, class Y>
auto with_tree(buffer<X, T, S, A...> const& b, Y const& y) {
  buffer<Y, T, S, A...> r{{}, y, {}, {}, 0, {}, nullptr, true};
  r.same_memory(b);
  for (int i = 0; i < b.rank; ++i) r.extents[i] = b.extents[i], r.strides[i] = b.strides[i];
  return r;
}

/// The extent of D in the first of some trees that says.
template <class D, class... X>
long size_in(X const&... x) {
  long n = unknown;
  ((n = n >= 0 ? n : size_of<D>(x)), ...);
  if (n < 0) attend::detail::extent_unknown(&D::name);
  return n;
}

/// A buffer of x, stored as T in the order of the dims given. A dim that only an index brings has the extent it has in
/// the trees around x.
template <class T, class... D, class X, class... Around>
auto store(X const& x, types<D...>, Around const&... around) {
  buffer<X, T, types<D...>, axis<D, (extent_in<typename X::shape, D> >= 0 ? extent_in<typename X::shape, D> : dynamic)>...> r{
      {}, x, {size_in<D>(x, around...)...}, {}, 0, {size_in<D>(x, around...)...}, nullptr, true};
  row_major(r);
  return r;
}

} // namespace detail
} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
