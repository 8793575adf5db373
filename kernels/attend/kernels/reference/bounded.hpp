// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A double with a bound on how far a sound implementation may end up from it: running error analysis, one operation
// at a time. Shares no code with what it judges.
//
// A bound of infinity says "undecided": rounding may flip a comparison, overflow or hit a pole, and any result is
// possible. An infinite or NaN value with bound 0 is certain: the implementation must give the same.
#pragma once
#include <algorithm>
#include <attend/kernels/isa.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA {

inline constexpr double infinity = std::numeric_limits<double>::infinity();

/// The arithmetic an implementation may use for one operation: results are within `unit` of themselves or `tiny`
/// (vector units may flush what is below it to zero), and overflow beyond `largest`. A unit of 0 is exact arithmetic.
struct precision {
  double unit, tiny, largest;
  int digits, least; // bits of the significand; exponent of the smallest subnormal
};
inline constexpr precision in_f64{0x1p-53, 0x1p-1022, std::numeric_limits<double>::max(), 53, -1074};
inline constexpr precision in_f32{0x1p-24, 0x1p-126, 0x1.fffffep127, 24, -149};
inline constexpr precision in_bf16{0x1p-8, 0x1p-126, 0x1.fep127, 8, -133};
inline constexpr precision in_f16{0x1p-11, 0x1p-24, 65504.0, 11, -24};
/// Whole numbers and truth values: a double holds them up to 2^53, and beyond that an exception is thrown.
inline constexpr precision exactly{0, 0, 0x1p53, 53, 0};

/// The double itself rounds, too: it may not be the implementation's fault.
inline constexpr double own_unit = 0x1p-53;
constexpr double unit_of(precision const& p) { return p.unit + own_unit; }

struct bounded {
  double value = 0, bound = 0;
};

inline bool undecided(bounded const& x) { return x.bound == infinity; }
inline bounded undecided_at(double value) { return {value, infinity}; }
inline double low(bounded const& x) { return x.value - x.bound; }
inline double high(bounded const& x) { return x.value + x.bound; }
inline bool certain(bounded const& x) { return x.bound == 0; }

/// v rounded to nearest, ties to even, as a number of p's format.
inline double nearest(double v, precision const& p) {
  if (v == 0 || !std::isfinite(v)) return v;
  int const grid = std::max(std::ilogb(v) - p.digits + 1, p.least);
  double const rounded = std::ldexp(std::nearbyint(std::ldexp(v, -grid)), grid);
  return std::fabs(rounded) > p.largest ? std::copysign(infinity, v) : rounded;
}

/// x after `roundings` roundings of relative size p.unit.
inline bounded rounded(bounded x, precision const& p, double roundings = 1) {
  if (undecided(x) || !std::isfinite(x.value)) return x;
  if (p.unit == 0) {
    if (std::fabs(x.value) > p.largest) throw std::overflow_error("a whole number beyond 2^53 in the reference");
    return x;
  }
  if (x.value == 0 && x.bound == 0) return x;
  double const b = x.bound + roundings * unit_of(p) * (std::fabs(x.value) + x.bound) + p.tiny;
  return std::fabs(x.value) + b <= p.largest ? bounded{x.value, b} : undecided_at(x.value); // of NaN, too
}

/// A correctly rounded result: exact operands give an exact result where the format holds it.
inline bounded correctly_rounded(bounded x, precision const& p) {
  if (x.bound == 0 && nearest(x.value, p) == x.value) return x;
  return rounded(x, p);
}

/// A constant as a number of p's format.
inline bounded constant(double value, precision const& p) { return correctly_rounded({value, 0}, p); }

namespace detail {
// Operands with finite bounds and an infinite or NaN result: certain, unless finite operands overflowed.
inline bounded special(double value, bool finite_operands) {
  return finite_operands && !std::isnan(value) ? undecided_at(value) : bounded{value, 0};
}
inline bounded both_ways(double lo, double value, double hi) {
  double const up = std::fabs(hi - value), down = std::fabs(value - lo);
  return std::isnan(up) || std::isnan(down) ? undecided_at(value) : bounded{value, std::max(up, down)};
}
} // namespace detail

inline bounded add(bounded const& x, bounded const& y, precision const& p) {
  double const v = x.value + y.value;
  if (undecided(x) || undecided(y)) return undecided_at(v);
  if (!std::isfinite(v)) return detail::special(v, std::isfinite(x.value) && std::isfinite(y.value));
  return correctly_rounded({v, x.bound + y.bound}, p);
}
inline bounded neg(bounded const& x) { return {-x.value, x.bound}; }
inline bounded sub(bounded const& x, bounded const& y, precision const& p) { return add(x, neg(y), p); }
inline bounded mul(bounded const& x, bounded const& y, precision const& p) {
  double const v = x.value * y.value;
  if (undecided(x) || undecided(y)) return undecided_at(v);
  if (!std::isfinite(v)) {
    bool const infinite_times_doubtful = (std::isinf(x.value) && std::fabs(y.value) <= y.bound && !certain(y)) ||
                                         (std::isinf(y.value) && std::fabs(x.value) <= x.bound && !certain(x));
    if (infinite_times_doubtful) return undecided_at(v);
    return detail::special(v, std::isfinite(x.value) && std::isfinite(y.value));
  }
  return correctly_rounded({v, std::fabs(x.value) * y.bound + std::fabs(y.value) * x.bound + x.bound * y.bound}, p);
}
/// Two roundings: an implementation may multiply by the reciprocal.
inline bounded div(bounded const& x, bounded const& y, precision const& p) {
  double const v = x.value / y.value;
  if (undecided(x) || undecided(y)) return undecided_at(v);
  if (std::isnan(x.value) || std::isnan(y.value)) return {v, 0};
  if (std::isinf(x.value)) return std::isinf(y.value) || std::fabs(y.value) > y.bound ? bounded{v, 0} : undecided_at(v);
  if (std::isinf(y.value)) return {v, 0};
  if (std::fabs(y.value) <= y.bound) // a zero's sign is nobody's promise
    return certain(y) && certain(x) && x.value == 0 ? bounded{v, 0} : undecided_at(v);
  if (!std::isfinite(v)) return undecided_at(v);
  int exponent;
  if (certain(y) && std::fabs(std::frexp(y.value, &exponent)) == 0.5) return correctly_rounded({v, x.bound / std::fabs(y.value)}, p);
  double const divisor = std::fabs(y.value) - y.bound;
  return rounded({v, (x.bound + std::fabs(v) * y.bound) / divisor}, p, 2);
}
/// Of whole numbers: rounded once, so that floor(i / n) is what it says.
inline bounded div_whole(bounded const& x, bounded const& y, precision const& p) {
  if (certain(x) && certain(y) && y.value != 0) return correctly_rounded({x.value / y.value, 0}, p);
  return div(x, y, p);
}
inline bounded max(bounded const& x, bounded const& y) {
  if (std::isnan(x.value) || std::isnan(y.value)) return {std::nan(""), std::max(x.bound, y.bound)};
  double const v = std::max(x.value, y.value);
  if (undecided(x) || undecided(y)) return undecided_at(v);
  return v == infinity ? bounded{v, 0} : v == -infinity ? bounded{v, 0}
         : detail::both_ways(std::max(low(x), low(y)), v, std::max(high(x), high(y)));
}
inline bounded min(bounded const& x, bounded const& y) { return neg(max(neg(x), neg(y))); }
inline bounded abs(bounded const& x) { return {std::fabs(x.value), x.bound}; }

namespace detail {
// A rising function, computed to `roundings` units of its result.
inline bounded rising(double (*f)(double), bounded const& x, precision const& p, double roundings) {
  double const v = f(x.value);
  if (undecided(x)) return undecided_at(v);
  if (!std::isfinite(v)) {
    if (!std::isfinite(x.value)) return {v, 0};
    bool const outside = std::isnan(f(low(x))) && std::isnan(v) && std::isnan(f(high(x)));
    return outside ? bounded{v, 0} : undecided_at(v);
  }
  bounded const y = both_ways(f(low(x)), v, f(high(x)));
  return rounded(y, p, roundings);
}
// A function whose slope is at most `slope`, computed to `absolute` units.
inline bounded gentle(double (*f)(double), bounded const& x, precision const& p, double slope, double absolute) {
  double const v = f(x.value);
  if (undecided(x)) return undecided_at(v);
  if (!std::isfinite(v)) return {v, 0};
  return rounded({v, slope * x.bound + absolute * unit_of(p)}, p);
}
} // namespace detail

// The accuracy asked of an implementation, in units: exp of its argument times a constant, hence |x| + 4; the others as
// a decent vector library gives them. Formulas that cancel are judged as the formula stands: gelu to units of x.
inline bounded exp(bounded const& x, precision const& p) {
  double const reach = std::isfinite(x.value) ? std::min(std::fabs(x.value), 1000.0) : 0;
  return detail::rising([](double a) { return std::exp(a); }, x, p, reach + 4);
}
inline bounded log(bounded const& x, precision const& p) {
  if (certain(x) && x.value == 0) return {-infinity, 0};
  if (!undecided(x) && std::isfinite(x.value) && !certain(x) && low(x) <= 0 && high(x) >= 0) return undecided_at(std::log(std::fabs(x.value)));
  return detail::rising([](double a) { return std::log(a); }, x, p, 4);
}
inline bounded sqrt(bounded const& x, precision const& p) { return detail::rising([](double a) { return std::sqrt(a); }, x, p, 2); }
inline bounded rsqrt(bounded const& x, precision const& p) {
  if (undecided(x) || (std::isfinite(x.value) && low(x) <= 0 && high(x) >= 0)) return undecided_at(1 / std::sqrt(x.value));
  return neg(detail::rising([](double a) { return -1 / std::sqrt(a); }, x, p, 4));
}
inline bounded floor(bounded const& x) { return detail::rising([](double a) { return std::floor(a); }, x, {0, 0, infinity, 53, 0}, 0); }
inline bounded sin(bounded const& x, precision const& p) { return detail::gentle([](double a) { return std::sin(a); }, x, p, 1, 4); }
inline bounded cos(bounded const& x, precision const& p) { return detail::gentle([](double a) { return std::cos(a); }, x, p, 1, 4); }
inline bounded tanh(bounded const& x, precision const& p) { return detail::rising([](double a) { return std::tanh(a); }, x, p, 8); }
inline bounded erf(bounded const& x, precision const& p) { return detail::rising([](double a) { return std::erf(a); }, x, p, 8); }
inline bounded sigmoid(bounded const& x, precision const& p) {
  double const reach = std::isfinite(x.value) ? std::min(std::max(-x.value, 0.0), 1000.0) : 0;
  return detail::rising([](double a) { return 1 / (1 + std::exp(-a)); }, x, p, reach + 6);
}
inline bounded relu(bounded const& x) { return max(x, {0, 0}); }
inline bounded gelu(bounded const& x, precision const& p) {
  return detail::gentle([](double a) { return 0.5 * a * std::erfc(-a * 0.70710678118654752440); }, x, p, 1.13, 8 * std::fabs(x.value));
}
inline bounded gelu_tanh(bounded const& x, precision const& p) {
  auto const f = [](double a) { return a / (1 + std::exp(-2 * 0.79788456080286535588 * (a + 0.044715 * a * a * a))); };
  return detail::gentle(f, x, p, 1.13, 12 * std::fabs(x.value));
}
inline bounded silu(bounded const& x, precision const& p) {
  double const reach = std::isfinite(x.value) ? std::min(std::max(-x.value, 0.0), 1000.0) : 0;
  auto const f = [](double a) { return a / (1 + std::exp(-a)); };
  return detail::gentle(f, x, p, 1.1, (reach + 8) * std::fabs(f(x.value)));
}
inline bounded pow(bounded const& x, bounded const& y, precision const& p) {
  double const v = std::pow(x.value, y.value);
  if (undecided(x) || undecided(y)) return undecided_at(v);
  if (!std::isfinite(v)) return certain(x) && certain(y) && x.value != 0 ? detail::special(v, std::isfinite(x.value) && std::isfinite(y.value)) : undecided_at(v);
  if (certain(x) && certain(y) && (x.value == 0 || y.value == 0)) return {v, 0};
  if (low(x) <= 0 && !(certain(y) && y.value == std::floor(y.value) && y.value >= 1))
    return certain(x) && certain(y) ? rounded({v, 0}, p, 16) : undecided_at(v);
  if (low(x) <= 0) { // a whole power: the slope at the far end
    double const reach = std::fabs(x.value) + x.bound;
    return rounded({v, y.value * std::pow(reach, y.value - 1) * x.bound}, p, 8 + 2 * y.value);
  }
  double worst = 0;
  for (double const a : {low(x), high(x)})
    for (double const b : {low(y), high(y)}) worst = std::max(worst, std::fabs(std::pow(a, b) - v));
  return rounded({v, worst}, p, std::fabs(y.value * std::log(x.value)) + 8);
}

/// Truth values: 0 or 1, certain or undecided.
inline bounded truth(bool value, bool decided) { return {value ? 1.0 : 0.0, decided ? 0.0 : infinity}; }
inline bounded less(bounded const& x, bounded const& y) {
  bool const nan = std::isnan(x.value) || std::isnan(y.value);
  return truth(x.value < y.value, !undecided(x) && !undecided(y) && (nan || high(x) < low(y) || low(x) >= high(y)));
}
inline bounded no(bounded const& x) { return {x.value == 0 ? 1.0 : 0.0, x.bound}; }
inline bounded less_equal(bounded const& x, bounded const& y) {
  if (std::isnan(x.value) || std::isnan(y.value)) return truth(false, !undecided(x) && !undecided(y));
  return no(less(y, x));
}
inline bounded equal(bounded const& x, bounded const& y) {
  bool const nan = std::isnan(x.value) || std::isnan(y.value), apart = high(x) < low(y) || high(y) < low(x);
  return truth(x.value == y.value, !undecided(x) && !undecided(y) && (nan || apart || (certain(x) && certain(y))));
}
inline bounded not_equal(bounded const& x, bounded const& y) { return no(equal(x, y)); }
/// The truth of a number: whether it is not 0.
inline bounded as_truth(bounded const& x) {
  return truth(x.value != 0, !undecided(x) && (certain(x) || std::fabs(x.value) > x.bound));
}
inline bounded both(bounded const& a, bounded const& b) {
  bounded const x = as_truth(a), y = as_truth(b);
  if ((certain(x) && x.value == 0) || (certain(y) && y.value == 0)) return truth(false, true);
  return truth(x.value != 0 && y.value != 0, certain(x) && certain(y));
}
inline bounded either(bounded const& a, bounded const& b) { return no(both(no(as_truth(a)), no(as_truth(b)))); }
/// x where c holds, else y; where c is undecided, anything between them.
inline bounded where(bounded const& condition, bounded const& x, bounded const& y) {
  bounded const c = as_truth(condition);
  bounded const& chosen = c.value != 0 ? x : y;
  if (certain(c)) return chosen;
  if (undecided(x) || undecided(y)) return undecided_at(chosen.value);
  bool const x_nan = std::isnan(x.value), y_nan = std::isnan(y.value);
  if (x_nan != y_nan) return undecided_at(chosen.value);
  if (x_nan || x.value == y.value) return {chosen.value, std::max(x.bound, y.bound)};
  return detail::both_ways(std::min(low(x), low(y)), chosen.value, std::max(high(x), high(y)));
}
/// x where kept, else minus infinity.
inline bounded masked(bounded const& kept, bounded const& x) { return where(kept, x, {-infinity, 0}); }

/// Conversion to a float format.
inline bounded cast(bounded const& x, precision const& p) {
  double const v = nearest(x.value, p);
  if (undecided(x) || std::isnan(v)) return {v, x.bound};
  if (certain(x)) return {v, 0};
  return detail::both_ways(nearest(low(x), p), v, nearest(high(x), p));
}
/// Conversion to a whole number, towards zero.
inline bounded cast_whole(bounded const& x) {
  if (undecided(x) || !std::isfinite(x.value)) return undecided_at(0);
  return detail::both_ways(std::trunc(low(x)), std::trunc(x.value), std::trunc(high(x)));
}

} // namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA
