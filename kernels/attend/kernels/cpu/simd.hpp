// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// vec: as many floats as the machine has lanes, and mask: the result of comparing them.
//
// In use:    vec x = load(p);  vec y = max(x, vec(0.0f)) * 2.0f;  store(q, y);      // p, q: float, bf16 or f16
// Ragged:    vec x = load(p, n);  store(q, x, n);                                   // touches n < lanes elements only
// Functors:  include simd_number.hpp; value<vec>(functor, at, args...) with `at` a lane_axis<P, R> of lane_axis.hpp.
// The functions of the vocabulary (exp, tanh, ...) are in simd_math.hpp, whole numbers in simd_integer.hpp.
#pragma once
#include <attend/kernels/cpu/isa.hpp>
#include <attend/types.hpp>
#include <cstdint>
#include <utility>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {

/// Lanes of a vec: 16 with AVX-512, 8 with AVX2, 4 elsewhere.
inline constexpr int lanes = machine::lanes;

/// The result of a comparison, a truth for each lane.
struct mask {
  machine::ints raw;

  mask() = default;
  mask(machine::ints x) : raw(x) {}
  mask(bool x) : raw(machine::ints{} - static_cast<int>(x)) {}

  friend mask operator&&(mask a, mask b) { return a.raw & b.raw; }
  friend mask operator||(mask a, mask b) { return a.raw | b.raw; }
  friend mask operator!(mask a) { return ~a.raw; }
  bool operator[](int lane) const { return raw[lane] != 0; }
};
/// Whether some lane is true.
inline bool any(mask c) { return machine::any(c.raw); }
/// Whether every lane is true.
inline bool all(mask c) { return machine::all(c.raw); }

/// A vector of floats, one a lane.
struct vec {
  machine::floats raw;

  vec() = default;
  vec(machine::floats x) : raw(x) {}
  explicit vec(float x) : raw(x - machine::floats{}) {}

  friend vec operator+(vec a, vec b) { return a.raw + b.raw; }
  friend vec operator-(vec a, vec b) { return a.raw - b.raw; }
  friend vec operator*(vec a, vec b) { return a.raw * b.raw; }
  friend vec operator/(vec a, vec b) { return a.raw / b.raw; }
  friend vec operator*(vec a, float b) { return a.raw * vec(b).raw; }
  friend vec operator-(vec a) { return -a.raw; }
  friend mask operator<(vec a, vec b) { return a.raw < b.raw; }
  friend mask operator<=(vec a, vec b) { return a.raw <= b.raw; }
  friend mask operator>(vec a, vec b) { return a.raw > b.raw; }
  friend mask operator>=(vec a, vec b) { return a.raw >= b.raw; }
  friend mask operator==(vec a, vec b) { return a.raw == b.raw; }
  friend mask operator!=(vec a, vec b) { return a.raw != b.raw; }
  float operator[](int lane) const { return raw[lane]; }
};

/// a where c, else b.
inline vec select(mask c, vec a, vec b) { return machine::select(c.raw, a.raw, b.raw); }
/// a * b + c, rounded once where the machine can.
inline vec fma(vec a, vec b, vec c) { return machine::fma(a.raw, b.raw, c.raw); }
/// The larger; b where either is NaN: one instruction, for callers that meet NaN otherwise.
inline vec max_second(vec a, vec b) { return machine::max_second(a.raw, b.raw); }
/// The smaller; b where either is NaN.
inline vec min_second(vec a, vec b) { return machine::min_second(a.raw, b.raw); }
/// The larger; NaN where either is.
inline vec max(vec a, vec b) { return select(a != a, a, max_second(a, b)); }
/// The smaller; NaN where either is.
inline vec min(vec a, vec b) { return select(a != a, a, min_second(a, b)); }
inline vec sqrt(vec a) { return machine::sqrt(a.raw); }
inline vec floor(vec a) { return machine::floor(a.raw); }
inline vec abs(vec a) { return reinterpret_cast<machine::floats>(reinterpret_cast<machine::ints>(a.raw) & 0x7FFFFFFF); }
/// Magnitude of a, sign of b.
inline vec copysign(vec a, vec b) {
  return reinterpret_cast<machine::floats>((reinterpret_cast<machine::ints>(a.raw) & 0x7FFFFFFF) |
                                           (reinterpret_cast<machine::ints>(b.raw) & ~0x7FFFFFFF));
}
/// 0, 1, 2, ...
inline vec lane_numbers() {
  vec x;
  for (int i = 0; i < lanes; ++i) x.raw[i] = static_cast<float>(i);
  return x;
}
/// Turns `lanes` vectors, rows of a square, into its columns.
[[gnu::always_inline]] inline void transpose(vec* rows) { machine::transpose(reinterpret_cast<machine::floats*>(rows)); }
/// to[k]: column k of a square of floats whose rows are `row` apart.
[[gnu::always_inline]] inline void load_transposed(float const* from, long row, vec* to) {
  machine::load_transposed(from, row * static_cast<long>(sizeof(float)), reinterpret_cast<machine::floats*>(to));
}
/// `lanes` rows of these columns, two at least, one row behind another, as lines of `lanes`: line number `Line`.
template <int Line, int Columns>
[[gnu::always_inline]] inline vec line_of(vec const (&columns)[Columns]) {
  constexpr auto column = [](int lane) { return (Line * lanes + lane) % Columns; };
  constexpr auto row = [](int lane) { return (Line * lanes + lane) / Columns; };
  return [&]<int... Lane>(std::integer_sequence<int, Lane...>) {
    machine::floats x = shuffle<(column(Lane) == 1 ? lanes + row(Lane) : row(Lane))...>(columns[0].raw, columns[1].raw);
    auto const put = [&]<int E>(std::integral_constant<int, E>) { x = shuffle<(column(Lane) == E ? lanes + row(Lane) : Lane)...>(x, columns[E].raw); };
    [&]<int... More>(std::integer_sequence<int, More...>) { (put(std::integral_constant<int, More + 2>{}), ...); }(std::make_integer_sequence<int, Columns - 2>{});
    return vec(x);
  }(std::make_integer_sequence<int, lanes>{});
}
/// Lane i: the sum of the lanes of x[i], for `lanes` vectors.
inline vec sums(vec const* x) { return machine::sums(reinterpret_cast<machine::floats const*>(x)); }
/// Where lines that are asked for go; the second cache waits for more of them at once.
enum class cache_level { nearest, second };
/// Asks for the cache line of p. Inlined at once: g++ takes the function for one without effects, and leaves calls of it out.
template <cache_level Level = cache_level::nearest>
[[gnu::always_inline]] inline void prefetch(void const* p) {
  __builtin_prefetch(p, 0, Level == cache_level::nearest ? 3 : 2);
}

namespace detail {
template <class V, class T>
inline V load_raw(T const* p) {
  V x;
  static_assert(sizeof(V) % sizeof(T) == 0);
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
inline vec from_bf16(machine::halves x) { return reinterpret_cast<machine::floats>(machine::widen(x) << 16); }
inline machine::halves to_bf16(vec x) {
  auto const bits = reinterpret_cast<machine::words>(x.raw);
  machine::words const rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  auto const is_nan = reinterpret_cast<machine::words>((x != x).raw);
  return machine::narrow((rounded & ~is_nan) | (is_nan & 0x7FFF));
}
} // namespace detail

/// `lanes` consecutive elements.
inline vec load(float const* p) { return detail::load_raw<machine::floats>(p); }
inline vec load(bf16 const* p) { return detail::from_bf16(detail::load_raw<machine::halves>(p)); }
inline vec load(f16 const* p) { return machine::from_half(detail::load_raw<machine::halves>(p)); }
/// n < lanes consecutive elements, zeros after them; nothing else is read.
inline vec load(float const* p, int n) { return machine::load_partial(p, n); }
template <half_precision T>
inline vec load(T const* p, int n) {
  machine::halves x{};
  std::memcpy(&x, static_cast<void const*>(p), sizeof(T) * static_cast<unsigned>(n));
  if constexpr (std::is_same_v<T, bf16>) return detail::from_bf16(x);
  else return machine::from_half(x);
}
/// `lanes` consecutive elements, rounded to nearest even.
inline void store(float* p, vec x) { std::memcpy(p, &x.raw, sizeof x.raw); }
inline void store(bf16* p, vec x) {
  auto const y = detail::to_bf16(x);
  std::memcpy(static_cast<void*>(p), &y, sizeof y);
}
inline void store(f16* p, vec x) {
  auto const y = machine::to_half(x.raw);
  std::memcpy(static_cast<void*>(p), &y, sizeof y);
}
/// What nobody reads soon, past the caches where that can be; others see it after the fence.
template <class T>
inline void stream(T* p, vec x) {
  if constexpr (std::is_same_v<T, float>)
    if (reinterpret_cast<std::uintptr_t>(p) % sizeof(vec) == 0) return machine::stream(p, x.raw);
  store(p, x);
}
/// Makes what this thread has streamed seen by those that it meets later.
inline void fence() { machine::fence(); }
/// The first n < lanes elements; nothing else is written.
inline void store(float* p, vec x, int n) { machine::store_partial(p, x.raw, n); }
template <half_precision T>
inline void store(T* p, vec x, int n) {
  machine::halves y;
  if constexpr (std::is_same_v<T, bf16>) y = detail::to_bf16(x);
  else y = machine::to_half(x.raw);
  std::memcpy(static_cast<void*>(p), &y, sizeof(T) * static_cast<unsigned>(n));
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
