// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Element types: the toolkit's own 16-bit floats, what a mixture of types gives, and where sums are kept.
#pragma once
#include <concepts>
#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <type_traits>

namespace attend {

using bf16 = __nv_bfloat16;
using f16 = __half;

/// A 16-bit float.
template <class T>
concept half_precision = std::same_as<T, bf16> || std::same_as<T, f16>;

/// A type a tensor can hold numbers of: f64, f32, bf16, f16.
template <class T>
concept floating = half_precision<T> || std::same_as<T, float> || std::same_as<T, double>;

/// A type a tensor can hold positions or ids of.
template <class T>
concept whole = std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t>;

/// Every type of a tensor's elements.
template <class T>
concept element_type = floating<T> || whole<T> || std::same_as<T, bool>;

namespace detail {
// The order in which a mixture is decided: the higher rank wins, and two different 16-bit floats meet in f32.
template <class T>
inline constexpr int type_rank = std::same_as<T, bool>           ? 0
                                 : std::same_as<T, std::int32_t> ? 1
                                 : std::same_as<T, std::int64_t> ? 2
                                 : half_precision<T>             ? 3
                                 : std::same_as<T, float>        ? 4
                                                                 : 5;
template <class A, class B>
struct promoted {
  using type = std::conditional_t<(type_rank<A> >= type_rank<B>), A, B>;
};
template <half_precision A, half_precision B>
  requires(!std::same_as<A, B>)
struct promoted<A, B> {
  using type = float;
};
} // namespace detail

/// The type of an operation on a tensor of A and a tensor of B.
template <class A, class B>
using promoted_t = typename detail::promoted<A, B>::type;

/// The type sums and intermediate values of T are kept in: f64 for f64, f32 for the other floats, int64 for integers.
template <class T>
using accumulate_t = std::conditional_t<
    std::same_as<T, double>, double,
    std::conditional_t<floating<T>, float, std::conditional_t<std::same_as<T, bool>, bool, std::int64_t>>>;

/// The name of an element type as explanations print it.
template <class T>
constexpr char const* type_name() {
  using U = std::remove_const_t<T>;
  if constexpr (std::same_as<U, double>) return "f64";
  else if constexpr (std::same_as<U, float>) return "f32";
  else if constexpr (std::same_as<U, bf16>) return "bf16";
  else if constexpr (std::same_as<U, f16>) return "f16";
  else if constexpr (std::same_as<U, std::int32_t>) return "i32";
  else if constexpr (std::same_as<U, std::int64_t>) return "i64";
  else return "bool";
}

} // namespace attend
