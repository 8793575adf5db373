// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a functor asks of a number type, and the answers of float and double. Other number types - SIMD vectors,
// intervals, text - specialise `number` and bring operators and functions of the same names in their own namespace.
#pragma once
#include <attend/kernels/isa.hpp>
#include <attend/op.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes" // host, device: only nvcc knows them
#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 20011, 20013, 20014
#endif

namespace attend::kernels::inline ATTEND_DETAIL_ISA {

/// The properties of a number type N.
/// `logic`: the result of its comparisons. `index`: a position along an axis. `integer`: any other whole number that
/// differs from lane to lane. (A whole number that is the same everywhere is a `long`; operators between the three mix.)
/// `from(double)` puts a constant in; `from(integer)` converts; `infinity()`; `round<T>(x)` rounds x as a T would hold it.
template <class N>
struct number;

template <class N>
concept has_number = requires { typename number<N>::logic; };

template <class N>
  requires std::is_same_v<N, float> || std::is_same_v<N, double>
struct number<N> {
  using logic = bool;
  using index = long;
  using integer = long;
  __attribute__((host, device)) static constexpr N from(double x) { return static_cast<N>(x); }
  __attribute__((host, device)) static constexpr N from(long x) { return static_cast<N>(x); }
  __attribute__((host, device)) static constexpr N infinity() { return std::numeric_limits<N>::infinity(); }
  __attribute__((host, device)) static N select(bool c, N x, N y) { return c ? x : y; }
  __attribute__((host, device)) static long select(bool c, long x, long y) { return c ? x : y; }
  /// Whole part of x towards zero, as cast<int32_t> and cast<int64_t> give it.
  __attribute__((host, device)) static long truncate(N x) { return static_cast<long>(x); }
  template <class T>
  __attribute__((host, device)) static N round(N x) {
    if constexpr (std::is_same_v<T, bf16>) return static_cast<N>(__bfloat162float(__double2bfloat16(x)));
    else if constexpr (std::is_same_v<T, f16>) return static_cast<N>(__half2float(__double2half(x)));
    else return static_cast<N>(static_cast<T>(x));
  }
};

/// float or double of one element of a tensor.
template <class N, class T>
__attribute__((host, device)) inline N load_number(T const& x) {
  if constexpr (std::is_same_v<T, bf16>) return static_cast<N>(__bfloat162float(x));
  else if constexpr (std::is_same_v<T, f16>) return static_cast<N>(__half2float(x));
  else return static_cast<N>(x);
}

/// The T nearest to a float, double, whole number or bool.
template <class T, class N>
__attribute__((host, device)) inline T store_number(N x) {
  if constexpr (std::is_same_v<T, bool>) return x != N{};
  else if constexpr (std::is_same_v<N, T>) return x;
  else if constexpr (std::is_same_v<T, bf16> && std::is_same_v<N, float>) return __float2bfloat16_rn(x);
  else if constexpr (std::is_same_v<T, f16> && std::is_same_v<N, float>) return __float2half_rn(x);
  else if constexpr (std::is_same_v<T, bf16>) return __double2bfloat16(static_cast<double>(x));
  else if constexpr (std::is_same_v<T, f16>) return __double2half(static_cast<double>(x));
  else return static_cast<T>(x);
}

/// Draw number `position` of the stream `seed` of Philox4x32-10 (Salmon, Moraes, Dror, Shaw, 2011): 32 random bits,
/// the same on every machine.
__attribute__((host, device)) inline std::uint32_t philox(std::uint64_t seed, std::uint64_t position) {
  std::uint32_t const word = static_cast<std::uint32_t>(position & 3);
  std::uint64_t const block = position >> 2;
  std::uint32_t c[4] = {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 0, 0};
  std::uint32_t k[2] = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    std::uint64_t const p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];
    std::uint32_t const next[4] = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
                                   static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    for (int i = 0; i < 4; ++i) c[i] = next[i];
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  return c[word];
}
/// 24 random bits for one element, in [0, 2^24): dropout keeps an element whose bits reach a threshold.
__attribute__((host, device)) inline long random_bits(long position, long seed) {
  return philox(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(position)) >> 8;
}

// The functions of the vocabulary that <cmath> lacks, for float and double.
template <class N>
  requires std::is_floating_point_v<N>
__attribute__((host, device)) N rsqrt(N x) { return 1 / std::sqrt(x); }
template <class N>
  requires std::is_floating_point_v<N>
__attribute__((host, device)) N sigmoid(N x) { return 1 / (1 + std::exp(-x)); }
/// max and min that hand on a NaN, as reductions and row maxima need.
template <class N>
  requires std::is_arithmetic_v<N>
__attribute__((host, device)) N max(N x, N y) { return x > y || x != x ? x : y; }
template <class N>
  requires std::is_arithmetic_v<N>
__attribute__((host, device)) N min(N x, N y) { return x < y || x != x ? x : y; }

} // namespace attend::kernels::inline ATTEND_DETAIL_ISA

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
#pragma GCC diagnostic pop
