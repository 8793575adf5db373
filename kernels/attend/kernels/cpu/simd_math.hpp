// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The functions of the vocabulary on vectors of floats. exp, exp2, log, erf and sigmoid are minimax polynomials within
// two units in the last place, tanh a quotient of two within five (seven where products are rounded on their own),
// infinities, NaN and denormal results included; sin, cos and pow go lane by lane.
#pragma once
#include <attend/kernels/cpu/simd.hpp>
#include <cmath>
#include <iterator>

#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675 // its front end knows no `GCC unroll`; the host compiler behind it does
#endif

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {

namespace detail {

/// c[0] + c[1] x + c[2] x^2 + ...
template <int N>
[[gnu::always_inline]] inline vec polynomial(vec x, float const (&c)[N]) {
  vec y(c[N - 1]);
  for (int i = N - 2; i >= 0; --i) y = fma(y, x, vec(c[i]));
  return y;
}

// Adding 1.5 * 2^23 leaves the nearest whole number in the low bits of the mantissa.
inline constexpr float to_whole = 12582912.0f;
inline constexpr float log2_e = 1.44269504f, ln2 = 0.693147181f;
// ln 2 in two parts; the high one times any exponent is exact.
inline constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;

// e^x around zero, or, if Base2, 2^x in [0, 1].
template <bool Coarse, bool Base2>
inline constexpr float exp_short[] = {1.0f, 1.0f, 0.499992311f, 0.166671142f, 0.0418901555f, 0.00831252057f};
template <>
inline constexpr float exp_short<true, false>[] = {1.0f, 1.0f, 0.504167259f, 0.166844949f};
template <>
inline constexpr float exp_short<false, true>[] = {1.0f, 0.693151295f, 0.240164429f, 0.0557999685f, 0.00901696738f, 0.00186715578f};
template <>
inline constexpr float exp_short<true, true>[] = {1.0f, 0.695116758f, 0.227645f, 0.0770670548f};
inline constexpr float exp_6[] = {0.49999994f, 0.166665211f, 0.041668389f, 0.00836871658f, 0.00138145953f};
inline constexpr float exp2_6[] = {0.693147242f,   0.240226522f,   0.0555031039f,
                                   0.00961769279f, 0.00134066737f, 0.00015594752f};
inline constexpr float log_8[] = {0.333333135f,  -0.250000089f, 0.200021192f,  -0.166679949f, 0.142195538f,
                                  -0.124055952f, 0.118881606f,  -0.116756141f, 0.0674659833f};
inline constexpr float tanh_above[] = {1.0f, 0.133796766f, 0.0034939819f, 2.05826218e-05f, 1.33177789e-08f};
inline constexpr float tanh_below[] = {1.0f, 0.467129946f, 0.0258708764f, 0.000328300754f, 7.76151012e-07f};
inline constexpr float erf_6[] = {0.128379166f,   -0.376126349f,  0.112836972f,     -0.0268594958f,
                                  0.00520127919f, -0.000814553467f, 8.38216365e-05f};
inline constexpr float log_erfc_7[] = {0.000174683155f, -1.12951493f,    -0.633346915f,  -0.10828007f,
                                       0.0251194164f,   -0.00417105854f, 0.00043446169f, -2.10949638e-05f};

/// 2^n for whole n in [-126, 127], zero for -127; n given as to_whole + 127 + n.
inline vec power_of_two(vec n_biased) {
  return reinterpret_cast<machine::floats>(reinterpret_cast<machine::words>(n_biased.raw) << 23);
}
template <class M>
inline constexpr bool has_scale = requires(typename M::floats x) { M::scale(x, x); };
/// y * 2^n for n in [-254, 254], through denormals and overflow; n given as to_whole + n.
template <class M = machine>
vec scale_by(vec y, vec n_biased) {
  if constexpr (has_scale<M>) return M::scale(y.raw, (n_biased - vec(to_whole)).raw);
  auto const n = reinterpret_cast<machine::ints>(reinterpret_cast<machine::words>(n_biased.raw) - 0x4B400000u);
  auto const first = reinterpret_cast<machine::words>(n >> 1);
  auto const power = [](machine::words e) { return vec(reinterpret_cast<machine::floats>((e + 127u) << 23)); };
  return y * power(first) * power(reinterpret_cast<machine::words>(n) - first);
}
template <class F>
vec each_lane(vec a, F f) {
  for (int i = 0; i < lanes; ++i) a.raw[i] = f(a[i]);
  return a;
}
} // namespace detail

/// e^x.
inline vec exp(vec x) {
  vec const near = max_second(vec(-104.0f), min_second(vec(89.0f), x)); // NaN passes: it is the second of both
  vec const biased = fma(near, vec(detail::log2_e), vec(detail::to_whole));
  vec const n = biased - vec(detail::to_whole);
  vec const r = fma(n, vec(-detail::ln2_low), fma(n, vec(-detail::ln2_high), near));
  return detail::scale_by(fma(detail::polynomial(r, detail::exp_6), r * r, r) + vec(1.0f), biased);
}
/// 2^x.
inline vec exp2(vec x) {
  vec const near = max_second(vec(-151.0f), min_second(vec(129.0f), x));
  vec const biased = near + vec(detail::to_whole);
  vec const r = near - (biased - vec(detail::to_whole));
  return detail::scale_by(fma(detail::polynomial(r, detail::exp2_6), r, vec(1.0f)), biased);
}
/// While it lives, results of this thread below the least normal number are zero, on machines where making them takes
/// a hundred cycles.
template <class M = machine>
struct without_denormals {};
template <class M>
  requires detail::has_scale<M>
struct without_denormals<M> : M::without_denormals {};

/// e^x in place of each x <= 8 or NaN, of relative error 1.5e-7 + 8e-8 |x| (or, if Coarse, 1.4e-4: enough for 16-bit
/// results). Results below the least normal number are zero; where the machine could make them, if the caller holds
/// without_denormals. The online softmax's own: N chains side by side hide one another's latency.
template <bool Coarse, int N, class M = machine>
[[gnu::always_inline]] inline void exp_negative(vec (&x)[N]) {
  constexpr bool scales = detail::has_scale<M>;
  auto const& c = detail::exp_short<Coarse, scales>;
  constexpr int degree = static_cast<int>(std::size(detail::exp_short<Coarse, scales>)) - 1;
  vec const biased_to_whole(detail::to_whole + 127);
  vec r[N], power[N], y[N];
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i)
    if constexpr (scales) {
      power[i] = x[i] * vec(detail::log2_e);
      r[i] = M::fraction(power[i].raw);
    } else {
      x[i] = max_second(vec(-88.02f), x[i]); // e^-88.02 = 2^-127, whose power of two is written as zero
      power[i] = fma(x[i], vec(detail::log2_e), biased_to_whole);
    }
  if constexpr (!scales)
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) r[i] = fma(power[i] - biased_to_whole, vec(-detail::ln2), x[i]);
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) y[i] = fma(vec(c[degree]), r[i], vec(c[degree - 1]));
#pragma GCC unroll 16
  for (int k = degree - 2; k >= 0; --k)
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) y[i] = fma(y[i], r[i], vec(c[k]));
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i)
    if constexpr (scales) x[i] = M::scale(y[i].raw, power[i].raw);
    else x[i] = y[i] * detail::power_of_two(power[i]);
}
/// Natural logarithm.
inline vec log(vec x) {
  mask const tiny = x < vec(1.17549435e-38f);
  vec const y = select(tiny, x * vec(8388608.0f), x);
  // y = m 2^e with m in [sqrt(1/2), sqrt(2))
  auto const bits = reinterpret_cast<machine::words>(y.raw) - 0x3F3504F3u;
  machine::ints const exponent = reinterpret_cast<machine::ints>(bits) >> 23;
  vec const e = vec(__builtin_convertvector(exponent, machine::floats)) - select(tiny, vec(23.0f), vec(0.0f));
  vec const m = reinterpret_cast<machine::floats>((bits & 0x007FFFFFu) + 0x3F3504F3u);
  vec const f = m - vec(1.0f), f2 = f * f;
  vec const low = fma(e, vec(detail::ln2_low), fma(detail::polynomial(f, detail::log_8) * f, f2, vec(-0.5f) * f2));
  vec const result = fma(e, vec(detail::ln2_high), f + low);
  vec const inf(__builtin_inff());
  vec const edge = select(x == vec(0.0f), -inf, select(x == inf, inf, vec(__builtin_nanf(""))));
  return select(x > vec(0.0f) && x < inf, result, edge);
}
/// x times a rational function of x^2, held within [-1, 1], where it stays once 1 - tanh x is below half a unit.
inline vec tanh(vec x) {
  vec const u = min_second(vec(81.36f), x * x);
  vec const y = x * detail::polynomial(u, detail::tanh_above) / detail::polynomial(u, detail::tanh_below);
  return max_second(vec(-1.0f), min_second(vec(1.0f), y)); // NaN passes: it is the second of both
}
inline vec erf(vec x) {
  vec const a = min_second(vec(4.0f), abs(x)), u = x * x; // 1 - erf(4) is below half a unit
  vec const small = fma(detail::polynomial(u, detail::erf_6), x, x);
  vec const large = vec(1.0f) - exp(detail::polynomial(a, detail::log_erfc_7));
  return select(abs(x) < vec(0.92f), small, copysign(large, x));
}
/// 1 / (1 + e^-x).
inline vec sigmoid(vec x) {
  vec const e = exp(-abs(x)); // at most 1: the small side keeps its relative accuracy
  return select(x < vec(0.0f), e, vec(1.0f)) / (vec(1.0f) + e);
}
inline vec rsqrt(vec x) { return vec(1.0f) / sqrt(x); }
inline vec sin(vec x) {
  return detail::each_lane(x, [](float y) { return std::sin(y); });
}
inline vec cos(vec x) {
  return detail::each_lane(x, [](float y) { return std::cos(y); });
}
inline vec pow(vec x, vec y) {
  for (int i = 0; i < lanes; ++i) x.raw[i] = std::pow(x[i], y[i]);
  return x;
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
