// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operations that differ between instruction sets, for AVX-512 (F, BW, DQ, VL; BF16 where it is there): sixteen lanes.
#pragma once
#include <attend/kernels/cpu/shuffle.hpp>
#include <attend/kernels/isa.hpp>
#include <cstdint>
#include <cstring>

#ifndef __clang__ // g++ 12 takes the undefined sources inside its own intrinsics for mistakes
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif

#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675 // its front end knows no `GCC unroll`; the host compiler behind it does
#endif

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {

/// What an instruction set answers: vector types, and the operations the compiler's operators do not give.
struct machine {
  static constexpr int lanes = 16;
#if defined(ATTEND_DETAIL_MATRIX_TILES)
  static constexpr char const* name = "avx512-amx";
#elif defined(ATTEND_DETAIL_BF16_PAIRS)
  static constexpr char const* name = "avx512-bf16";
#else
  static constexpr char const* name = "avx512";
#endif
  using floats = float __attribute__((vector_size(64)));
  using ints = std::int32_t __attribute__((vector_size(64)));
  using words = std::uint32_t __attribute__((vector_size(64)));
  using halves = std::uint16_t __attribute__((vector_size(32)));
  using longs = std::int64_t __attribute__((vector_size(64))); // half as many lanes

  static floats fma(floats a, floats b, floats c) { return _mm512_fmadd_ps(a, b, c); }
  static floats select(ints c, floats a, floats b) {
    return _mm512_mask_blend_ps(_mm512_movepi32_mask(reinterpret_cast<__m512i>(c)), b, a);
  }
  /// Larger of two; b where either is NaN.
  static floats max_second(floats a, floats b) { return _mm512_max_ps(a, b); }
  static floats min_second(floats a, floats b) { return _mm512_min_ps(a, b); }
  static floats sqrt(floats a) { return _mm512_sqrt_ps(a); }
  static floats floor(floats a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
  /// What x is above the whole number below it, in [0, 1); zero for an infinity.
  static floats fraction(floats x) { return _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
  /// x * 2^floor(n).
  static floats scale(floats x, floats n) { return _mm512_scalef_ps(x, n); }
  /// While it lives, this thread's results below the least normal number are zero: making one takes a hundred cycles.
  class without_denormals {
  public:
    without_denormals() { _mm_setcsr(before_ | _MM_FLUSH_ZERO_ON); }
    ~without_denormals() { _mm_setcsr(before_); }
    without_denormals(without_denormals const&) = delete;
    without_denormals& operator=(without_denormals const&) = delete;

  private:
    unsigned const before_ = _mm_getcsr();
  };
  static bool any(ints c) { return _mm512_movepi32_mask(reinterpret_cast<__m512i>(c)) != 0; }
  static bool all(ints c) { return _mm512_movepi32_mask(reinterpret_cast<__m512i>(c)) == 0xFFFF; }
  static floats load_partial(float const* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static void store_partial(float* p, floats x, int n) { _mm512_mask_storeu_ps(p, first(n), x); }
  /// Past the caches, to a multiple of the vector's size; others see it after the fence.
  static void stream(float* p, floats x) { _mm512_stream_ps(p, x); }
  static void fence() { _mm_sfence(); }
  static floats from_half(halves x) { return _mm512_cvtph_ps(reinterpret_cast<__m256i>(x)); }
  static halves to_half(floats x) { return reinterpret_cast<halves>(_mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT)); }
  static words widen(halves x) { return reinterpret_cast<words>(_mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(x))); }
  /// The low 16 bits of each lane.
  static halves narrow(words x) { return reinterpret_cast<halves>(_mm512_cvtepi32_epi16(reinterpret_cast<__m512i>(x))); }
  /// Each lane's byte, not zero.
  static ints load_bools(bool const* p) {
    __m512i const x = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<__m128i const*>(p)));
    return reinterpret_cast<ints>(_mm512_movm_epi32(_mm512_test_epi32_mask(x, x)));
  }
  /// Products of the low halves of 64-bit lanes.
  static longs multiply_low(longs a, longs b) {
    return reinterpret_cast<longs>(_mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
  }
  static longs select(longs c, longs a, longs b) {
    return reinterpret_cast<longs>(_mm512_mask_blend_epi64(_mm512_movepi64_mask(reinterpret_cast<__m512i>(c)),
                                                           reinterpret_cast<__m512i>(b), reinterpret_cast<__m512i>(a)));
  }
  /// One lane mask of 32 bits from two of 64.
  static ints join(longs low, longs high) {
    return shuffle<0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30>(reinterpret_cast<ints>(low), reinterpret_cast<ints>(high));
  }
  static longs low(ints c) {
    return reinterpret_cast<longs>(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(reinterpret_cast<__m512i>(c))));
  }
  static longs high(ints c) {
    return reinterpret_cast<longs>(_mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(reinterpret_cast<__m512i>(c), 1)));
  }
  /// Lane i: the sum of the lanes of x[i].
  static floats sums(floats const* x) {
    floats sum[16];
    for (int i = 0; i < 16; ++i) sum[i] = x[i];
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i)
        sum[i] = shuffle<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(sum[i], sum[i + half]) +
                 shuffle<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(sum[i], sum[i + half]);
    return sum[0];
  }
  /// to[k] = column k of a square whose rows are so many bytes apart: most of the way goes through loads, which are cheaper
  /// than shuffles.
  [[gnu::always_inline]] static void load_transposed(void const* from, long bytes, floats* to) {
    auto const four = [&](int i, int k) __attribute__((always_inline)) {
      return _mm_loadu_ps(reinterpret_cast<float const*>(static_cast<char const*>(from) + i * bytes) + k);
    };
    auto const quarters = [&](int i, int k) __attribute__((always_inline)) {
      __m512 x = _mm512_castps128_ps512(four(i, k));
      x = _mm512_insertf32x4(x, four(i + 4, k), 1);
      x = _mm512_insertf32x4(x, four(i + 8, k), 2);
      return _mm512_insertf32x4(x, four(i + 12, k), 3);
    };
#pragma GCC unroll 4
    for (int k = 0; k < 16; k += 4) {
      __m512 const a = quarters(0, k), b = quarters(1, k), c = quarters(2, k), d = quarters(3, k);
      __m512 const ab = _mm512_unpacklo_ps(a, b), cd = _mm512_unpacklo_ps(c, d), ab2 = _mm512_unpackhi_ps(a, b), cd2 = _mm512_unpackhi_ps(c, d);
      to[k] = _mm512_shuffle_ps(ab, cd, 0x44), to[k + 1] = _mm512_shuffle_ps(ab, cd, 0xEE);
      to[k + 2] = _mm512_shuffle_ps(ab2, cd2, 0x44), to[k + 3] = _mm512_shuffle_ps(ab2, cd2, 0xEE);
    }
  }
  static void transpose(floats* r) {
    floats other[16];
    for (int stage = 0; stage < 4; ++stage) { // four perfect shuffles of rows are a transpose
      floats const* from = stage % 2 == 0 ? r : other;
      floats* to = stage % 2 == 0 ? other : r;
      for (int i = 0; i < 8; ++i) {
        to[2 * i] = shuffle<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(from[i], from[i + 8]);
        to[2 * i + 1] =
            shuffle<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(from[i], from[i + 8]);
      }
    }
  }

#ifdef ATTEND_DETAIL_BF16_PAIRS
  // A word holds two bf16: the first in its low half.
  /// sum + the products of both halves.
  static floats add_products(words a, words b, floats sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
  }
  struct two_words {
    words first, second;
  };
  /// Pairs of the k-th half words of a and b: of every eight the first four, and the last four.
  static two_words in_turns(words a, words b) {
    auto const x = reinterpret_cast<__m512i>(a), y = reinterpret_cast<__m512i>(b);
    return {reinterpret_cast<words>(_mm512_unpacklo_epi16(x, y)), reinterpret_cast<words>(_mm512_unpackhi_epi16(x, y))};
  }
  /// The same in their order: the first half of them, and the second.
  static two_words in_order(words a, words b) {
    using shorts = std::int16_t __attribute__((vector_size(64)));
    constexpr shorts first = {0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    constexpr shorts second = {16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63};
    auto const x = reinterpret_cast<__m512i>(a), y = reinterpret_cast<__m512i>(b);
    return {reinterpret_cast<words>(_mm512_permutex2var_epi16(x, reinterpret_cast<__m512i>(first), y)),
            reinterpret_cast<words>(_mm512_permutex2var_epi16(x, reinterpret_cast<__m512i>(second), y))};
  }
  /// Pairs of bf16, rounded to nearest even.
  static words to_pairs(floats first, floats second) {
    using shorts = std::int16_t __attribute__((vector_size(64)));
    constexpr shorts in_turns = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return reinterpret_cast<words>(_mm512_permutexvar_epi16(reinterpret_cast<__m512i>(in_turns), (__m512i)_mm512_cvtne2ps_pbh(second, first)));
  }
#endif

private:
  static __mmask16 first(int n) { return static_cast<__mmask16>(n >= 16 ? 0xFFFF : (1u << n) - 1); }
};

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
