// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Intervals as a number type of functors: one evaluation bounds a score over a whole tile and says what of it is kept.
// Sound for f32 and f64 evaluations alike: bounds grow outward by more than f32 rounds, NaN makes every answer possible,
// whole numbers are bounded exactly in 64 bits.
#pragma once
#include <attend/kernels/numbers.hpp>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes"
#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 20011, 20013, 20014
#endif

namespace attend::kernels::inline ATTEND_DETAIL_ISA {

/// What a comparison may answer somewhere in the tile.
struct truth {
  bool can_be_false, can_be_true;

  truth() = default;
  __attribute__((host, device)) constexpr truth(bool x) : can_be_false(!x), can_be_true(x) {}
  __attribute__((host, device)) constexpr truth(bool no, bool yes) : can_be_false(no), can_be_true(yes) {}
  __attribute__((host, device)) constexpr bool surely() const { return !can_be_false; }
  __attribute__((host, device)) constexpr bool never() const { return !can_be_true; }

  __attribute__((host, device)) friend constexpr truth operator&&(truth a, truth b) {
    return {a.can_be_false || b.can_be_false, a.can_be_true && b.can_be_true};
  }
  __attribute__((host, device)) friend constexpr truth operator||(truth a, truth b) {
    return {a.can_be_false && b.can_be_false, a.can_be_true || b.can_be_true};
  }
  __attribute__((host, device)) friend constexpr truth operator!(truth a) { return {a.can_be_true, a.can_be_false}; }
};

/// A whole number from lo to hi, both included.
struct whole_interval {
  long lo, hi;

  whole_interval() = default;
  __attribute__((host, device)) constexpr whole_interval(long x) : lo(x), hi(x) {}
  __attribute__((host, device)) constexpr whole_interval(long lo, long hi) : lo(lo), hi(hi) {}
  __attribute__((host, device)) static constexpr whole_interval everything() {
    return {std::numeric_limits<long>::min(), std::numeric_limits<long>::max()};
  }

  using self = whole_interval;
  __attribute__((host, device)) friend constexpr self operator+(self a, self b) {
    long const lo = wrap_add(a.lo, b.lo), hi = wrap_add(a.hi, b.hi);
    bool const overflow = ((a.lo ^ lo) & (b.lo ^ lo)) < 0 || ((a.hi ^ hi) & (b.hi ^ hi)) < 0;
    return overflow ? everything() : self{lo, hi};
  }
  __attribute__((host, device)) friend constexpr self operator-(self a, self b) {
    constexpr long least = std::numeric_limits<long>::min();
    return b.lo == least || b.hi == least ? everything() : a + self{-b.hi, -b.lo};
  }
  __attribute__((host, device)) friend constexpr self operator*(self a, self b) {
    constexpr double limit = 0x1p62;
    double const la = static_cast<double>(a.lo), ha = static_cast<double>(a.hi);
    double const lb = static_cast<double>(b.lo), hb = static_cast<double>(b.hi);
    auto const within = [](double x) { return x > -limit && x < limit; };
    if (!within(la * lb) || !within(la * hb) || !within(ha * lb) || !within(ha * hb)) return everything();
    long const p[] = {a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi};
    self result{p[0]};
    for (long x : p) result = {x < result.lo ? x : result.lo, x > result.hi ? x : result.hi};
    return result;
  }
  __attribute__((host, device)) friend constexpr truth operator<(self a, self b) { return {a.hi >= b.lo, a.lo < b.hi}; }
  __attribute__((host, device)) friend constexpr truth operator<=(self a, self b) { return {a.hi > b.lo, a.lo <= b.hi}; }
  __attribute__((host, device)) friend constexpr truth operator==(self a, self b) {
    return {!(a.lo == a.hi && b.lo == b.hi && a.lo == b.lo), a.lo <= b.hi && b.lo <= a.hi};
  }
  __attribute__((host, device)) friend constexpr truth operator!=(self a, self b) { return !(a == b); }

private:
  __attribute__((host, device)) static constexpr long wrap_add(long a, long b) {
    return static_cast<long>(static_cast<unsigned long>(a) + static_cast<unsigned long>(b));
  }
};

__attribute__((host, device)) constexpr whole_interval max(whole_interval a, whole_interval b) {
  return {a.lo > b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
}
__attribute__((host, device)) constexpr whole_interval min(whole_interval a, whole_interval b) {
  return {a.lo < b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi};
}
/// The bits of one draw are known; of several, only their range.
__attribute__((host, device)) inline whole_interval random_bits(whole_interval position, long seed) {
  if (position.lo == position.hi) return random_bits(position.lo, seed);
  return {0, (1l << 24) - 1};
}

/// A number from lo to hi, or NaN if `nan`.
/// `kept` follows masks: it can be false where the value may be minus infinity because a mask, or a minus infinity put
/// in as a bias, says so. Where a mask drops, it wins: what is added there is taken to be less than plus infinity.
struct interval {
  double lo, hi;
  bool nan = false;
  truth kept = true;
};

namespace detail {

inline constexpr double infinite = std::numeric_limits<double>::infinity();
inline constexpr double largest_float = std::numeric_limits<float>::max();

/// The bounds once computed in f32 by an operation within 4 units in the last place.
__attribute__((host, device)) inline interval outward(double lo, double hi, bool nan, truth kept) {
  constexpr double relative = 0x1p-21, least = 0x1p-126; // results below the least normal number may be zero
  if (lo != lo || hi != hi) return {-infinite, infinite, true, kept};
  if (lo != 0 || hi != 0) {
    lo -= (lo < 0 ? -lo : lo) * relative + least;
    hi += (hi < 0 ? -hi : hi) * relative + least;
  }
  if (lo != lo || hi != hi) return {-infinite, infinite, true, kept}; // infinities less infinities
  if (hi > largest_float) hi = infinite;
  if (lo < -largest_float) lo = -infinite;
  if (lo > largest_float) lo = largest_float;
  if (hi < -largest_float && hi > -infinite) hi = -largest_float;
  return {lo, hi, nan, kept};
}
__attribute__((host, device)) inline bool can_be_infinite(interval const& a) { return a.lo == -infinite || a.hi == infinite; }
/// What f, rising everywhere, makes of an interval. f of a dropped value need not be minus infinity.
template <class F>
__attribute__((host, device)) interval rising(interval const& a, F f) {
  return outward(f(a.lo), f(a.hi), a.nan, a.kept.surely() ? a.kept : truth(true, true));
}

} // namespace detail

__attribute__((host, device)) inline interval operator+(interval const& a, interval const& b) {
  using detail::infinite;
  bool const nan = a.nan || b.nan || (a.lo == -infinite && b.hi == infinite) || (a.hi == infinite && b.lo == -infinite);
  double const lo = a.lo == -infinite || b.lo == -infinite ? -infinite : a.lo + b.lo;
  double const hi = a.hi == infinite || b.hi == infinite ? infinite : a.hi + b.hi;
  return detail::outward(lo, hi, nan, a.kept && b.kept);
}
__attribute__((host, device)) inline interval operator-(interval const& a, interval const& b) {
  interval difference = a + interval{-b.hi, -b.lo, b.nan, b.kept};
  difference.kept = b.kept.surely() ? a.kept : truth(true, true); // less a dropped value is plus infinity
  return difference;
}
__attribute__((host, device)) inline interval operator*(interval const& a, interval const& b) {
  bool const a_zero = a.lo <= 0 && a.hi >= 0, b_zero = b.lo <= 0 && b.hi >= 0;
  bool const nan = a.nan || b.nan || (a_zero && detail::can_be_infinite(b)) || (b_zero && detail::can_be_infinite(a));
  double lo = detail::infinite, hi = -detail::infinite;
  double const ends_a[] = {a.lo, a.hi}, ends_b[] = {b.lo, b.hi};
  for (double x : ends_a)
    for (double y : ends_b) {
      double const product = x == 0 || y == 0 ? 0 : x * y; // zero times infinity is NaN, and counted as such above
      lo = product < lo ? product : lo;
      hi = product > hi ? product : hi;
    }
  truth kept = truth(true, true);
  if (a.kept.surely() && b.kept.surely()) kept = true;
  else if (b.kept.surely() && b.lo > 0) kept = a.kept;
  else if (a.kept.surely() && a.lo > 0) kept = b.kept;
  return detail::outward(lo, hi, nan, kept);
}
__attribute__((host, device)) inline interval operator/(interval const& a, interval const& b) {
  bool const both = a.kept.surely() && b.kept.surely();
  if (b.lo <= 0 && b.hi >= 0) return {-detail::infinite, detail::infinite, true, both ? truth(true) : truth(true, true)};
  bool const nan = a.nan || b.nan || (detail::can_be_infinite(a) && detail::can_be_infinite(b));
  double lo = detail::infinite, hi = -detail::infinite;
  double const ends_a[] = {a.lo, a.hi}, ends_b[] = {b.lo, b.hi};
  for (double x : ends_a)
    for (double y : ends_b) {
      double const quotient = x / y;
      if (quotient != quotient) return {-detail::infinite, detail::infinite, true, both ? truth(true) : truth(true, true)};
      lo = quotient < lo ? quotient : lo;
      hi = quotient > hi ? quotient : hi;
    }
  return detail::outward(lo, hi, nan, both ? truth(true) : b.kept.surely() && b.lo > 0 ? a.kept : truth(true, true));
}

__attribute__((host, device)) inline truth operator<(interval const& a, interval const& b) {
  return {a.nan || b.nan || a.hi >= b.lo, a.lo < b.hi};
}
__attribute__((host, device)) inline truth operator<=(interval const& a, interval const& b) {
  return {a.nan || b.nan || a.hi > b.lo, a.lo <= b.hi};
}
__attribute__((host, device)) inline truth operator==(interval const& a, interval const& b) {
  return {a.nan || b.nan || !(a.lo == a.hi && b.lo == b.hi && a.lo == b.lo), a.lo <= b.hi && b.lo <= a.hi};
}
__attribute__((host, device)) inline truth operator!=(interval const& a, interval const& b) { return !(a == b); }

__attribute__((host, device)) inline interval max(interval const& a, interval const& b) {
  truth kept = truth(true, true);
  if (a.kept.surely() && b.kept.surely()) kept = true;
  if (a.kept.never() && b.kept.never()) kept = false;
  return {a.lo > b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi, a.nan || b.nan, kept};
}
__attribute__((host, device)) inline interval min(interval const& a, interval const& b) {
  return {a.lo < b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi, a.nan || b.nan, a.kept && b.kept};
}
__attribute__((host, device)) inline interval exp(interval const& a) {
  interval y = detail::rising(a, [](double x) { return std::exp(x); });
  y.lo = y.lo < 0 ? 0 : y.lo;
  return y;
}
__attribute__((host, device)) inline interval log(interval const& a) {
  interval const positive{a.lo < 0 ? 0 : a.lo, a.hi < 0 ? 0 : a.hi, a.nan || a.lo < 0, a.kept};
  // A logarithm near zero of a number that was rounded: the absolute error counts, not the relative one.
  interval y = detail::rising(positive, [](double x) { return x == 0 ? -detail::infinite : std::log(x); });
  y.lo -= 0x1p-21, y.hi += 0x1p-21;
  if (a.lo < 0x1p-126) y.lo = -detail::infinite; // denormal numbers may count as zero
  return y;
}
__attribute__((host, device)) inline interval sqrt(interval const& a) {
  interval const positive{a.lo < 0 ? 0 : a.lo, a.hi < 0 ? 0 : a.hi, a.nan || a.lo < 0, a.kept};
  return detail::rising(positive, [](double x) { return std::sqrt(x); });
}
__attribute__((host, device)) inline interval rsqrt(interval const& a) {
  return interval{1, 1} / sqrt(a);
}
__attribute__((host, device)) inline interval tanh(interval const& a) {
  return detail::rising(a, [](double x) { return std::tanh(x); });
}
__attribute__((host, device)) inline interval erf(interval const& a) {
  return detail::rising(a, [](double x) { return std::erf(x); });
}
__attribute__((host, device)) inline interval sigmoid(interval const& a) {
  interval y = detail::rising(a, [](double x) { return 1 / (1 + std::exp(-x)); });
  y.lo = y.lo < 0 ? 0 : y.lo;
  return y;
}
__attribute__((host, device)) inline interval floor(interval const& a) {
  return {std::floor(a.lo), std::floor(a.hi), a.nan, a.kept};
}
__attribute__((host, device)) inline interval sin(interval const& a) {
  return {-1 - 0x1p-21, 1 + 0x1p-21, a.nan || detail::can_be_infinite(a), a.kept.surely() ? a.kept : truth(true, true)};
}
__attribute__((host, device)) inline interval cos(interval const& a) { return sin(a); }
__attribute__((host, device)) inline interval pow(interval const& a, interval const& b) {
  truth const kept = a.kept.surely() && b.kept.surely() ? truth(true) : truth(true, true);
  if (!(a.lo > 0) || detail::can_be_infinite(a) || detail::can_be_infinite(b)) return {-detail::infinite, detail::infinite, true, kept};
  double lo = detail::infinite, hi = 0;
  double const ends_a[] = {a.lo, a.hi}, ends_b[] = {b.lo, b.hi};
  for (double x : ends_a)
    for (double y : ends_b) { // monotone in each for x > 0
      double const power = std::pow(x, y);
      lo = power < lo ? power : lo;
      hi = power > hi ? power : hi;
    }
  return detail::outward(lo, hi, a.nan || b.nan, kept);
}

template <>
struct number<interval> {
  using logic = truth;
  using index = whole_interval;
  using integer = whole_interval;
  __attribute__((host, device)) static interval from(double x) {
    if (x != x) return {-detail::infinite, detail::infinite, true, true};
    if (x == -detail::infinite) return {x, x, false, false}; // as a bias: nothing is kept
    if (static_cast<double>(static_cast<float>(x)) == x) return {x, x};
    return detail::outward(x, x, false, true);
  }
  __attribute__((host, device)) static interval from(whole_interval x) {
    double const lo = static_cast<double>(x.lo), hi = static_cast<double>(x.hi);
    if (lo >= -0x1p24 && hi <= 0x1p24) return {lo, hi};
    return detail::outward(lo, hi, false, true);
  }
  __attribute__((host, device)) static interval from(long x) { return from(whole_interval(x)); }
  __attribute__((host, device)) static interval infinity() { return {detail::infinite, detail::infinite}; }
  __attribute__((host, device)) static interval select(truth c, interval const& x, interval const& y) {
    if (c.surely()) return x;
    if (c.never()) return y;
    return {x.lo < y.lo ? x.lo : y.lo, x.hi > y.hi ? x.hi : y.hi, x.nan || y.nan,
            truth(x.kept.can_be_false || y.kept.can_be_false, x.kept.can_be_true || y.kept.can_be_true)};
  }
  __attribute__((host, device)) static whole_interval select(truth c, whole_interval x, whole_interval y) {
    if (c.surely()) return x;
    if (c.never()) return y;
    return {x.lo < y.lo ? x.lo : y.lo, x.hi > y.hi ? x.hi : y.hi};
  }
  /// masked(c, x): minus infinity where c is false, whatever x is there.
  __attribute__((host, device)) static interval masked(truth c, interval const& x) {
    if (c.surely()) return x;
    if (c.never()) return {-detail::infinite, -detail::infinite, false, false};
    return {-detail::infinite, x.hi, x.nan, truth(true, x.kept.can_be_true)};
  }
  __attribute__((host, device)) static whole_interval truncate(interval const& x) {
    if (x.nan || !(x.lo > -0x1p62) || !(x.hi < 0x1p62)) return whole_interval::everything();
    return {static_cast<long>(x.lo), static_cast<long>(x.hi)};
  }
  template <class T>
  __attribute__((host, device)) static interval round(interval const& x) {
    if constexpr (half_precision<T>) // rounding never turns two numbers round
      return {load_number<double>(store_number<T>(x.lo)), load_number<double>(store_number<T>(x.hi)), x.nan, x.kept};
    else return x;
  }
};

} // namespace attend::kernels::inline ATTEND_DETAIL_ISA

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
#pragma GCC diagnostic pop
