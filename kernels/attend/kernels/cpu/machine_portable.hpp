// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operations that differ between instruction sets, for any machine: four lanes of the compiler's own vectors.
#pragma once
#include <attend/kernels/cpu/shuffle.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <cuda_fp16.h>

namespace attend::kernels::cpu {
inline namespace isa_portable {

/// What an instruction set answers: vector types, and the operations the compiler's operators do not give.
struct machine {
  static constexpr int lanes = 4;
  static constexpr char const* name = "portable";
  using floats = float __attribute__((vector_size(16)));
  using ints = std::int32_t __attribute__((vector_size(16)));
  using words = std::uint32_t __attribute__((vector_size(16)));
  using halves = std::uint16_t __attribute__((vector_size(8)));
  using longs = std::int64_t __attribute__((vector_size(16))); // half as many lanes

  static floats fma(floats a, floats b, floats c) { return a * b + c; }
  static floats select(ints c, floats a, floats b) {
    return reinterpret_cast<floats>((c & reinterpret_cast<ints>(a)) | (~c & reinterpret_cast<ints>(b)));
  }
  /// Larger of two; b where either is NaN.
  static floats max_second(floats a, floats b) { return select(a > b, a, b); }
  static floats min_second(floats a, floats b) { return select(a < b, a, b); }
  static floats sqrt(floats a) {
    for (int i = 0; i < lanes; ++i) a[i] = std::sqrt(a[i]);
    return a;
  }
  static floats floor(floats a) {
    for (int i = 0; i < lanes; ++i) a[i] = std::floor(a[i]);
    return a;
  }
  static bool any(ints c) { return (c[0] | c[1] | c[2] | c[3]) < 0; }
  static bool all(ints c) { return (c[0] & c[1] & c[2] & c[3]) < 0; }
  static floats load_partial(float const* p, int n) {
    floats x{};
    std::memcpy(&x, p, sizeof(float) * n);
    return x;
  }
  static void store_partial(float* p, floats x, int n) { std::memcpy(p, &x, sizeof(float) * n); }
  /// Here there is no way past the caches, so that nothing has to be waited for.
  static void stream(float* p, floats x) { std::memcpy(p, &x, sizeof x); }
  static void fence() {}
  static floats from_half(halves x) {
    floats y{};
    for (int i = 0; i < lanes; ++i) {
      __half_raw const h{x[i]};
      y[i] = __half2float(h);
    }
    return y;
  }
  static halves to_half(floats x) {
    halves y{};
    for (int i = 0; i < lanes; ++i) y[i] = static_cast<__half_raw>(__float2half_rn(x[i])).x;
    return y;
  }
  static words widen(halves x) { return words{x[0], x[1], x[2], x[3]}; }
  /// The low 16 bits of each lane.
  static halves narrow(words x) {
    halves y{};
    for (int i = 0; i < lanes; ++i) y[i] = static_cast<std::uint16_t>(x[i]);
    return y;
  }
  /// Each lane's byte, not zero.
  static ints load_bools(bool const* p) { return ints{-p[0], -p[1], -p[2], -p[3]}; }
  /// Products of the low halves of 64-bit lanes.
  static longs multiply_low(longs a, longs b) { return (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF); }
  static longs select(longs c, longs a, longs b) { return (c & a) | (~c & b); }
  /// One lane mask of 32 bits from two of 64.
  static ints join(longs low, longs high) {
    return shuffle<0, 2, 4, 6>(reinterpret_cast<ints>(low), reinterpret_cast<ints>(high));
  }
  static longs low(ints c) { return longs{c[0], c[1]}; }
  static longs high(ints c) { return longs{c[2], c[3]}; }
  /// Lane i: the sum of the lanes of x[i].
  static floats sums(floats const* x) {
    auto const fold = [](floats a, floats b) { return shuffle<0, 4, 1, 5>(a, b) + shuffle<2, 6, 3, 7>(a, b); };
    return fold(fold(x[0], x[2]), fold(x[1], x[3]));
  }
  /// to[k] = column k of a square whose rows are so many bytes apart.
  static void load_transposed(void const* from, long bytes, floats* to) {
    for (int i = 0; i < lanes; ++i) std::memcpy(&to[i], static_cast<char const*>(from) + i * bytes, sizeof to[i]);
    transpose(to);
  }
  static void transpose(floats* r) {
    floats const a = shuffle<0, 4, 1, 5>(r[0], r[1]), b = shuffle<2, 6, 3, 7>(r[0], r[1]);
    floats const c = shuffle<0, 4, 1, 5>(r[2], r[3]), d = shuffle<2, 6, 3, 7>(r[2], r[3]);
    r[0] = shuffle<0, 1, 4, 5>(a, c), r[1] = shuffle<2, 3, 6, 7>(a, c);
    r[2] = shuffle<0, 1, 4, 5>(b, d), r[3] = shuffle<2, 3, 6, 7>(b, d);
  }
};

} // namespace isa_portable
} // namespace attend::kernels::cpu
