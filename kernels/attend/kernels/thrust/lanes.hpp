// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The numbers a pass computes with: vectors of float, single doubles. What a pass asks of them beyond `number`:
// places to evaluate at, stores of any value a functor gives, and accumulators of reductions.
#pragma once
#include <attend/kernels/cpu/lane_axis.hpp>
#include <attend/kernels/functor.hpp>

namespace attend::kernels::passes {
inline namespace ATTEND_DETAIL_ISA {

/// The number type that stands for N inside a pass.
template <class N>
using lane_number = std::conditional_t<std::is_same_v<N, float>, cpu::vec, N>;

/// Elements of one L.
template <class L>
inline constexpr int lane_width = std::is_same_v<L, cpu::vec> ? cpu::lanes : 1;

/// The place at[0..R-1], its lanes along axis Lane, of which the first `count` may be touched.
template <class L, int Lane, int R>
auto place(point<R> const& p, [[maybe_unused]] int count) {
  if constexpr (lane_width<L> == 1) return p;
  else {
    cpu::lane_axis<Lane, R> at;
    for (int i = 0; i < (R > 0 ? R : 1); ++i) at.at[i] = p.at[i];
    at.count = count;
    return at;
  }
}

namespace detail {

/// Lane i of any value of a functor, as float, double, long or bool.
template <class V>
auto lane_of(V const& x, [[maybe_unused]] int i) {
  if constexpr (std::is_arithmetic_v<V>) return x;
  else return x[i];
}

template <class T, class Vector>
void store_converted(T* p, Vector const& x) {
  using narrow [[gnu::vector_size(sizeof(T) * sizeof(Vector) / sizeof(x[0]))]] = T;
  auto const y = __builtin_convertvector(x, narrow);
  __builtin_memcpy(p, &y, sizeof y);
}

/// All lanes, next to each other.
template <class T, class V>
void store_lanes(T* p, V const& x) {
  if constexpr (std::is_same_v<T, bool>) {
    if constexpr (std::is_same_v<V, cpu::mask>) store_converted(reinterpret_cast<signed char*>(p), -x.raw);
    else store_lanes(p, kernels::detail::as_logic<cpu::vec>(x));
  } else if constexpr (whole<T>) {
    if constexpr (std::is_same_v<V, cpu::lane_integer>) {
      store_converted(p, x.part[0]);
      store_converted(p + cpu::lanes / 2, x.part[1]);
    } else if constexpr (std::is_same_v<V, cpu::vec>) store_lanes(p, cpu::truncate(x));
    else if constexpr (std::is_same_v<V, cpu::mask> || std::is_same_v<V, bool>)
      store_lanes(p, select(cpu::mask(x), cpu::lane_integer(1l), cpu::lane_integer(0l)));
    else store_lanes(p, cpu::lane_integer(x));
  } else cpu::store(p, kernels::detail::as_number<cpu::vec>(x));
}

} // namespace detail

/// Stores the first `count` lanes of a functor's value at p, p + stride, ...: floats rounded to nearest even, whole
/// numbers exact.
template <class L, class T, class V>
void write(T* p, [[maybe_unused]] long stride, [[maybe_unused]] int count, V const& x) {
  if constexpr (lane_width<L> == 1) *p = store_number<T>(x);
  else {
    if constexpr (!std::is_same_v<T, double>)
      if (stride == 1 && count == cpu::lanes) return detail::store_lanes(p, x);
    for (int i = 0; i < count; ++i) p[i * stride] = store_number<T>(detail::lane_of(x, i));
  }
}

/// What values V are accumulated in: L, or 64-bit whole numbers for whole numbers and truths.
template <class L, class V>
using accumulator = std::conditional_t<std::is_same_v<V, L>, L, typename number<L>::integer>;

/// A functor's value as its accumulator.
template <class L, class V>
accumulator<L, V> accumulated(V const& x) {
  using whole_number = typename number<L>::integer;
  if constexpr (std::is_same_v<V, L>) return x;
  else if constexpr (kernels::detail::is_logic<L, V>) return number<L>::select(x, whole_number(1l), whole_number(0l));
  else return whole_number(x);
}

/// What changes nothing under Op: 0; minus infinity or the lowest whole number; plus infinity or the highest.
template <class Op, class L, class A>
A identity() {
  using whole_limits = std::numeric_limits<long>;
  if constexpr (std::is_same_v<Op, op::add>) {
    if constexpr (std::is_same_v<A, L>) return number<L>::from(0.0);
    else return A(0l);
  } else {
    constexpr bool is_max = std::is_same_v<Op, op::max>;
    static_assert(is_max || std::is_same_v<Op, op::min>, "a reduction is op::add, op::max or op::min");
    if constexpr (std::is_same_v<A, L>) return number<L>::from(is_max ? -1.0 : 1.0) * number<L>::infinity();
    else return A(is_max ? whole_limits::lowest() : whole_limits::max());
  }
}

/// Op of two accumulators; a NaN stays, sums of whole numbers are modulo 2^64.
template <class Op, class A>
[[gnu::always_inline]] inline A combine(A const& x, A const& y) {
  if constexpr (std::is_same_v<Op, op::max>) return max(x, y);
  else if constexpr (std::is_same_v<Op, op::min>) return min(x, y);
  else if constexpr (std::is_same_v<A, long>)
    return static_cast<long>(static_cast<unsigned long>(x) + static_cast<unsigned long>(y));
  else return x + y;
}

/// The first `count` lanes of x, `rest` in the others.
template <class L, class A>
A first_lanes(A const& x, [[maybe_unused]] int count, [[maybe_unused]] A const& rest) {
  if constexpr (lane_width<L> == 1) return x;
  else return select(cpu::lane_index(0, 1) < cpu::lane_index(count), x, rest);
}

/// One value for all lanes: L itself, or a long.
template <class L, class A>
using uniform = std::conditional_t<std::is_same_v<A, L>, L, long>;

namespace detail {
/// Op over every Step-th lane of x from lane i on.
template <class Op, int Width, int Step, class A>
[[gnu::always_inline]] inline auto every(A const& x, int i) {
  if constexpr (Step == Width) return x[i];
  else return combine<Op>(every<Op, Width, 2 * Step>(x, i), every<Op, Width, 2 * Step>(x, i + Step));
}
} // namespace detail

/// Op over all lanes, halves with halves.
template <class Op, class L, class A>
uniform<L, A> across(A const& x) {
  if constexpr (lane_width<L> == 1) return x;
  else return uniform<L, A>(detail::every<Op, lane_width<L>, 1>(x, 0));
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::passes
