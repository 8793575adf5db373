// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An elementwise expression as kernels see it: a tree without names, generic in its number type.
// value<N>(functor, at, args...) evaluates it at one place `at` (one element, a vector of elements, a tile of them).
//
// `at` answers, for axis numbers P that the kernel documents:
//   at.template index<N, P>()       number<N>::index or long: the position along axis P
//   at.template load<N>(element)    N, number<N>::integer or long, number<N>::logic or bool by the element's type
//   at.template load<N>(lookup, id) the same, one axis of the table addressed by id
//
// All of it is constexpr so that one function serves kernels, which nvcc lets call it (--expt-relaxed-constexpr), and host
// code, whose vectors nvcc refuses in anything that is declared for a device.
#pragma once
#include <attend/kernels/numbers.hpp>
#include <attend/pack.hpp>
#include <bit>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes"
#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 20011, 20013, 20014
#endif

namespace attend::kernels::inline ATTEND_DETAIL_ISA {

/// The functor's I-th argument: a score, or the result of an earlier stage.
template <int I>
struct argument {};
/// A constant; f64 until a number type takes it.
struct constant {
  double value;
};
/// A whole constant.
struct whole_constant {
  long value;
};
/// The position along axis P.
template <int P>
struct coordinate {};
/// data[sum of stride[i] * position along axis P_i]; strides in elements.
template <class T, int... P>
struct element {
  T const* data;
  long stride[sizeof...(P) > 0 ? sizeof...(P) : 1];
};
/// data[id * id_stride + sum of stride[i] * position along axis P_i], id given by the functor Ids.
template <class T, class Ids, int... P>
struct lookup {
  T const* data;
  Ids ids;
  long id_stride;
  long stride[sizeof...(P) > 0 ? sizeof...(P) : 1];
};
/// Op of the values of the functors X.
template <class Op, class... X>
struct apply {
  attend::detail::pack<X...> x;
};

/// Whether two functors of one type give the same values wherever they are asked for them: their constants and the
/// memory that they read are the same.
template <class F>
constexpr bool same(F const&, F const&) { return std::is_empty_v<F>; }
constexpr bool same(constant const& a, constant const& b) { return std::bit_cast<std::uint64_t>(a.value) == std::bit_cast<std::uint64_t>(b.value); }
constexpr bool same(whole_constant const& a, whole_constant const& b) { return a.value == b.value; }
template <class T, int... P>
constexpr bool same(element<T, P...> const& a, element<T, P...> const& b) {
  for (int i = 0; i < static_cast<int>(sizeof...(P)); ++i)
    if (a.stride[i] != b.stride[i]) return false;
  return a.data == b.data;
}
template <class T, class Ids, int... P>
constexpr bool same(lookup<T, Ids, P...> const& a, lookup<T, Ids, P...> const& b) {
  for (int i = 0; i < static_cast<int>(sizeof...(P)); ++i)
    if (a.stride[i] != b.stride[i]) return false;
  return a.data == b.data && a.id_stride == b.id_stride && same(a.ids, b.ids);
}
template <class Op, class... X>
constexpr bool same(apply<Op, X...> const& a, apply<Op, X...> const& b) {
  return [&]<int... I>(std::integer_sequence<int, I...>) {
    return (same(static_cast<attend::detail::slot<I, X> const&>(a.x).value, static_cast<attend::detail::slot<I, X> const&>(b.x).value) && ...);
  }(std::make_integer_sequence<int, sizeof...(X)>{});
}

namespace detail {

template <class N, class A>
inline constexpr bool is_logic = std::is_same_v<A, bool> || std::is_same_v<A, typename number<N>::logic>;
template <class N, class A>
inline constexpr bool is_whole = std::is_same_v<A, long> || std::is_same_v<A, typename number<N>::index> ||
                                 std::is_same_v<A, typename number<N>::integer>;

template <class N, class A>
constexpr N as_number(A const& a) {
  if constexpr (std::is_same_v<A, N>) return a;
  else if constexpr (is_logic<N, A>) return number<N>::select(a, number<N>::from(1.0), number<N>::from(0.0));
  else return number<N>::from(a);
}
template <class N, class A>
constexpr typename number<N>::logic as_logic(A const& a) {
  if constexpr (is_logic<N, A>) return a;
  else if constexpr (is_whole<N, A>) return a != 0l;
  else return a != number<N>::from(0.0);
}

// One overload per operation: whole numbers stay whole under + - * min max and comparisons, and become N elsewhere.
// clang-format off
#define ATTEND_ARITHMETIC(OP, EXPRESSION)                                                                              \
  template <class N, class A, class B> constexpr auto compute(OP, A const& a, B const& b) {        \
    if constexpr (is_whole<N, A> && is_whole<N, B>) { A const& x = a; B const& y = b; return EXPRESSION; }              \
    else { N const x = as_number<N>(a), y = as_number<N>(b); return EXPRESSION; }                                      \
  }
#define ATTEND_FUNCTION(OP, EXPRESSION)                                                                                \
  template <class N, class A> constexpr N compute(OP, A const& a) {                                \
    using std::exp, std::log, std::sqrt, std::sin, std::cos, std::tanh, std::erf, std::floor;                          \
    N const x = as_number<N>(a); return EXPRESSION;                                                                    \
  }
ATTEND_ARITHMETIC(op::add, x + y)
ATTEND_ARITHMETIC(op::sub, x - y)
ATTEND_ARITHMETIC(op::mul, x * y)
ATTEND_ARITHMETIC(op::max, max(x, y))
ATTEND_ARITHMETIC(op::min, min(x, y))
ATTEND_ARITHMETIC(op::less, x < y)
ATTEND_ARITHMETIC(op::less_equal, x <= y)
ATTEND_FUNCTION(op::exp, exp(x))
ATTEND_FUNCTION(op::log, log(x))
ATTEND_FUNCTION(op::sqrt, sqrt(x))
ATTEND_FUNCTION(op::rsqrt, rsqrt(x))
ATTEND_FUNCTION(op::sin, sin(x))
ATTEND_FUNCTION(op::cos, cos(x))
ATTEND_FUNCTION(op::tanh, tanh(x))
ATTEND_FUNCTION(op::erf, erf(x))
ATTEND_FUNCTION(op::floor, floor(x))
ATTEND_FUNCTION(op::sigmoid, sigmoid(x))
ATTEND_FUNCTION(op::relu, max(x, number<N>::from(0.0)))
ATTEND_FUNCTION(op::gelu, x * number<N>::from(0.5) * (number<N>::from(1.0) + erf(x * number<N>::from(0.70710678118654752440))))
ATTEND_FUNCTION(op::gelu_tanh, x * number<N>::from(0.5) * (number<N>::from(1.0) + tanh(number<N>::from(0.79788456080286535588) * (x + number<N>::from(0.044715) * x * x * x))))
ATTEND_FUNCTION(op::silu, x * sigmoid(x))
#undef ATTEND_ARITHMETIC
#undef ATTEND_FUNCTION
// clang-format on

template <class N, class A>
constexpr auto compute(op::neg, A const& a) {
  if constexpr (is_whole<N, A>) return 0l - a;
  else return number<N>::from(0.0) - as_number<N>(a);
}
template <class N, class A>
constexpr auto compute(op::abs, A const& a) {
  if constexpr (is_whole<N, A>) return max(a, 0l - a);
  else return max(as_number<N>(a), number<N>::from(0.0) - as_number<N>(a));
}
template <class N, class A, class B>
constexpr N compute(op::div, A const& a, B const& b) { return as_number<N>(a) / as_number<N>(b); }
template <class N, class A, class B>
constexpr N compute(op::pow, A const& a, B const& b) {
  using std::pow;
  return pow(as_number<N>(a), as_number<N>(b));
}
template <class N, class A, class B>
constexpr auto compute(op::equal, A const& a, B const& b) {
  if constexpr (is_logic<N, A> && is_logic<N, B>) return (as_logic<N>(a) && as_logic<N>(b)) || (!as_logic<N>(a) && !as_logic<N>(b));
  else if constexpr (is_whole<N, A> && is_whole<N, B>) return a == b;
  else return as_number<N>(a) == as_number<N>(b);
}
template <class N, class A, class B>
constexpr auto compute(op::not_equal, A const& a, B const& b) { return !compute<N>(op::equal{}, a, b); }
template <class N, class A, class B>
constexpr auto compute(op::both, A const& a, B const& b) {
  if constexpr (std::is_same_v<A, bool> && std::is_same_v<B, bool>) return a && b;
  else return as_logic<N>(a) && as_logic<N>(b);
}
template <class N, class A, class B>
constexpr auto compute(op::either, A const& a, B const& b) {
  if constexpr (std::is_same_v<A, bool> && std::is_same_v<B, bool>) return a || b;
  else return as_logic<N>(a) || as_logic<N>(b);
}
template <class N, class A>
constexpr auto compute(op::no, A const& a) {
  if constexpr (std::is_same_v<A, bool>) return !a;
  else return !as_logic<N>(a);
}
template <class N, class C, class A, class B>
constexpr auto compute(op::where, C const& c, A const& a, B const& b) {
  if constexpr (is_logic<N, A> && is_logic<N, B>)
    return (as_logic<N>(c) && as_logic<N>(a)) || (!as_logic<N>(c) && as_logic<N>(b));
  else if constexpr (is_whole<N, A> && is_whole<N, B>)
    return number<N>::select(as_logic<N>(c), typename number<N>::integer(a), typename number<N>::integer(b));
  else return number<N>::select(as_logic<N>(c), as_number<N>(a), as_number<N>(b));
}
template <class N, class C, class A>
constexpr N compute(op::masked, C const& kept, A const& a) {
  if constexpr (requires { number<N>::masked(as_logic<N>(kept), as_number<N>(a)); })
    return number<N>::masked(as_logic<N>(kept), as_number<N>(a)); // a number that keeps track of what is kept
  else return number<N>::select(as_logic<N>(kept), as_number<N>(a), number<N>::from(-1.0) * number<N>::infinity());
}
template <class N, class A, class C>
constexpr N compute(op::kept, A const& a, C const& c) { return number<N>::select(as_logic<N>(c), as_number<N>(a), number<N>::from(0.0)); }
template <class N, class A>
constexpr auto compute(op::random, A const& position, long seed) { return random_bits(position, seed); }
template <class N, class Empty, class A>
constexpr N compute(op::softmax_term<Empty>, A const& a, N const& m) {
  using std::exp;
  auto const none = m == number<N>::from(-1.0) * number<N>::infinity();
  N const term = exp(as_number<N>(a) - m);
  if constexpr (std::is_same_v<Empty, empty_row::nan_t>) return term; // minus infinity less minus infinity
  else return number<N>::select(none, number<N>::from(std::is_same_v<Empty, empty_row::uniform_t> ? 1.0 : 0.0), term);
}
template <class N, class Empty, class A>
constexpr N compute(op::softmax_weight<Empty>, A const& a, N const& m, N const& l) {
  N const term = compute<N>(op::softmax_term<Empty>{}, a, m);
  if constexpr (std::is_same_v<Empty, empty_row::zeros_t>) return term / number<N>::select(l == number<N>::from(0.0), number<N>::from(1.0), l);
  else return term / l;
}
template <class N, class T, class A>
constexpr auto compute(op::cast<T>, A const& a) {
  if constexpr (std::is_same_v<T, bool>) return as_logic<N>(a);
  else if constexpr (whole<T>) {
    if constexpr (is_whole<N, A>) return a;
    else return number<N>::truncate(as_number<N>(a));
  } else return number<N>::template round<T>(as_number<N>(a));
}

} // namespace detail

// clang-format off
template <class N, class At, class Head, class... Args>
constexpr auto const& value(argument<0>, At const&, Head const& head, Args const&...) { return head; }
template <class N, int I, class At, class Head, class... Args> requires(I > 0)
constexpr auto const& value(argument<I>, At const& at, Head const&, Args const&... args) { return value<N>(argument<I - 1>{}, at, args...); }
template <class N, class At, class... Args>
constexpr N value(constant const& c, At const&, Args const&...) { return number<N>::from(c.value); }
template <class N, class At, class... Args>
constexpr long value(whole_constant const& c, At const&, Args const&...) { return c.value; }
template <class N, int P, class At, class... Args>
constexpr auto value(coordinate<P>, At const& at, Args const&...) { return at.template index<N, P>(); }
template <class N, class T, int... P, class At, class... Args>
constexpr auto value(element<T, P...> const& e, At const& at, Args const&...) { return at.template load<N>(e); }
template <class N, class T, class Ids, int... P, class At, class... Args>
constexpr auto value(lookup<T, Ids, P...> const& e, At const& at, Args const&... args) { return at.template load<N>(e, value<N>(e.ids, at, args...)); }
template <class N, class Op, class... X, class At, class... Args>
constexpr auto value(apply<Op, X...> const& f, At const& at, Args const&... args) {
  return [&]<int... I>(std::integer_sequence<int, I...>) {
    return detail::compute<N>(Op{}, value<N>(static_cast<attend::detail::slot<I, X> const&>(f.x).value, at, args...)...);
  }(std::make_integer_sequence<int, sizeof...(X)>{});
}
// clang-format on

/// One element: its position along each of R axes.
template <int R>
struct point {
  long at[R > 0 ? R : 1];

  template <class N, int P>
  constexpr long index() const { return at[P]; }
  template <class N, class T, int... P>
  constexpr auto load(element<T, P...> const& e) const { return typed<N>(e.data[offset<P...>(e.stride)]); }
  template <class N, class T, class Ids, int... P, class Id>
  constexpr auto load(lookup<T, Ids, P...> const& e, Id id) const {
    return typed<N>(e.data[static_cast<long>(id) * e.id_stride + offset<P...>(e.stride)]);
  }

private:
  template <int... P>
  constexpr long offset(long const* stride) const {
    long sum = 0;
    int i = 0;
    ((sum += stride[i++] * at[P]), ...);
    return static_cast<void>(stride), static_cast<void>(i), sum;
  }
  template <class N, class T>
  static constexpr auto typed(T const& x) {
    if constexpr (std::is_same_v<T, bool>) return x;
    else if constexpr (whole<T>) return static_cast<long>(x);
    else return load_number<N>(x);
  }
};

/// A block of memory seen as R axes, as kernels take their results: strides in elements.
template <class T, int R>
struct strided {
  T* data;
  long extent[R > 0 ? R : 1];
  long stride[R > 0 ? R : 1];
};

} // namespace attend::kernels::inline ATTEND_DETAIL_ISA

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
#pragma GCC diagnostic pop
