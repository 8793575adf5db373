// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operations that differ between instruction sets, for AVX2 with FMA and F16C: eight lanes.
#pragma once
#include <attend/kernels/cpu/shuffle.hpp>
#include <cstdint>
#include <cstring>
#include <immintrin.h>

#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675 // its front end knows no `GCC unroll`; the host compiler behind it does
#endif

namespace attend::kernels::cpu {
inline namespace isa_avx2 {

/// What an instruction set answers: vector types, and the operations the compiler's operators do not give.
struct machine {
  static constexpr int lanes = 8;
  static constexpr char const* name = "avx2";
  using floats = float __attribute__((vector_size(32)));
  using ints = std::int32_t __attribute__((vector_size(32)));
  using words = std::uint32_t __attribute__((vector_size(32)));
  using halves = std::uint16_t __attribute__((vector_size(16)));
  using longs = std::int64_t __attribute__((vector_size(32))); // half as many lanes

  static floats fma(floats a, floats b, floats c) { return _mm256_fmadd_ps(a, b, c); }
  static floats select(ints c, floats a, floats b) { return _mm256_blendv_ps(b, a, reinterpret_cast<__m256>(c)); }
  /// Larger of two; b where either is NaN.
  static floats max_second(floats a, floats b) { return _mm256_max_ps(a, b); }
  static floats min_second(floats a, floats b) { return _mm256_min_ps(a, b); }
  static floats sqrt(floats a) { return _mm256_sqrt_ps(a); }
  static floats floor(floats a) { return _mm256_floor_ps(a); }
  static bool any(ints c) { return _mm256_movemask_ps(reinterpret_cast<__m256>(c)) != 0; }
  static bool all(ints c) { return _mm256_movemask_ps(reinterpret_cast<__m256>(c)) == 0xFF; }
  static floats load_partial(float const* p, int n) { return _mm256_maskload_ps(p, first(n)); }
  static void store_partial(float* p, floats x, int n) { _mm256_maskstore_ps(p, first(n), x); }
  /// Past the caches, to a multiple of the vector's size; others see it after the fence.
  static void stream(float* p, floats x) { _mm256_stream_ps(p, x); }
  static void fence() { _mm_sfence(); }
  static floats from_half(halves x) { return _mm256_cvtph_ps(reinterpret_cast<__m128i>(x)); }
  static halves to_half(floats x) { return reinterpret_cast<halves>(_mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT)); }
  static words widen(halves x) { return reinterpret_cast<words>(_mm256_cvtepu16_epi32(reinterpret_cast<__m128i>(x))); }
  /// The low 16 bits of each lane.
  static halves narrow(words x) {
    __m256i const kept = _mm256_and_si256(reinterpret_cast<__m256i>(x), _mm256_set1_epi32(0xFFFF));
    return reinterpret_cast<halves>(
        _mm_packus_epi32(_mm256_castsi256_si128(kept), _mm256_extracti128_si256(kept, 1)));
  }
  /// Each lane's byte, not zero.
  static ints load_bools(bool const* p) {
    return reinterpret_cast<ints>(_mm256_cmpgt_epi32(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<__m128i const*>(p))), _mm256_setzero_si256()));
  }
  /// Products of the low halves of 64-bit lanes.
  static longs multiply_low(longs a, longs b) {
    return reinterpret_cast<longs>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
  }
  static longs select(longs c, longs a, longs b) {
    return reinterpret_cast<longs>(_mm256_blendv_pd(reinterpret_cast<__m256d>(b), reinterpret_cast<__m256d>(a),
                                                    reinterpret_cast<__m256d>(c)));
  }
  /// One lane mask of 32 bits from two of 64.
  static ints join(longs low, longs high) {
    return shuffle<0, 2, 4, 6, 8, 10, 12, 14>(reinterpret_cast<ints>(low), reinterpret_cast<ints>(high));
  }
  static longs low(ints c) {
    return reinterpret_cast<longs>(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(reinterpret_cast<__m256i>(c))));
  }
  static longs high(ints c) {
    return reinterpret_cast<longs>(_mm256_cvtepi32_epi64(_mm256_extracti128_si256(reinterpret_cast<__m256i>(c), 1)));
  }
  /// Lane i: the sum of the lanes of x[i].
  static floats sums(floats const* x) {
    auto const four = [](floats const* y) { return _mm256_hadd_ps(_mm256_hadd_ps(y[0], y[1]), _mm256_hadd_ps(y[2], y[3])); };
    __m256 const a = four(x), b = four(x + 4);
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
  }
  /// to[k] = column k of a square whose rows are so many bytes apart: most of the way goes through loads, which are cheaper
  /// than shuffles.
  [[gnu::always_inline]] static void load_transposed(void const* from, long bytes, floats* to) {
    auto const four = [&](int i, int k) __attribute__((always_inline)) {
      return _mm_loadu_ps(reinterpret_cast<float const*>(static_cast<char const*>(from) + i * bytes) + k);
    };
    auto const halves_of = [&](int i, int k) __attribute__((always_inline)) {
      return _mm256_insertf128_ps(_mm256_castps128_ps256(four(i, k)), four(i + 4, k), 1);
    };
#pragma GCC unroll 2
    for (int k = 0; k < 8; k += 4) {
      __m256 const a = halves_of(0, k), b = halves_of(1, k), c = halves_of(2, k), d = halves_of(3, k);
      __m256 const ab = _mm256_unpacklo_ps(a, b), cd = _mm256_unpacklo_ps(c, d), ab2 = _mm256_unpackhi_ps(a, b), cd2 = _mm256_unpackhi_ps(c, d);
      to[k] = _mm256_shuffle_ps(ab, cd, 0x44), to[k + 1] = _mm256_shuffle_ps(ab, cd, 0xEE);
      to[k + 2] = _mm256_shuffle_ps(ab2, cd2, 0x44), to[k + 3] = _mm256_shuffle_ps(ab2, cd2, 0xEE);
    }
  }
  [[gnu::always_inline]] static void transpose(floats* r) {
    __m256 pair[8], quad[8];
    for (int i = 0; i < 8; i += 2) {
      pair[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
      pair[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
      for (int j = 0; j < 2; ++j) {
        quad[i + 2 * j] = _mm256_shuffle_ps(pair[i + j], pair[i + j + 2], 0x44);
        quad[i + 2 * j + 1] = _mm256_shuffle_ps(pair[i + j], pair[i + j + 2], 0xEE);
      }
    for (int i = 0; i < 4; ++i) {
      r[i] = _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x20);
      r[i + 4] = _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x31);
    }
  }

private:
  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};

} // namespace isa_avx2
} // namespace attend::kernels::cpu

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
