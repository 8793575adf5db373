// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reductions and normalisations of one row of bounded numbers, in any order of summation.
#pragma once
#include <attend/kernels/reference/bounded.hpp>

namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA {

/// A row that lies together: n values and as many bounds.
struct row {
  double const *values, *bounds;
  long n;

  bounded operator[](long i) const { return {values[i], bounds[i]}; }
};

/// What softmax gives where nothing is kept.
enum class empty_policy { zeros, uniform, nan };

namespace detail {
// The relative error of n roundings in a chain.
inline double chain(double n, precision const& p) {
  double const nu = n * unit_of(p);
  return nu < 1 ? nu / (1 - nu) : infinity;
}
// A sum of terms whose magnitudes sum to `reach`: exact where every partial sum is a whole number the format holds.
inline bounded summed(double value, double bound, double reach, bool whole, long terms, precision const& p) {
  if (p.unit == 0) {
    if (reach > p.largest) throw std::overflow_error("a whole sum beyond 2^53 in the reference");
    return {value, bound};
  }
  if (bound == 0 && ((whole && reach <= std::ldexp(1.0, p.digits)) || reach == 0)) return {value, 0};
  double const b = bound + chain(static_cast<double>(terms), p) * reach + static_cast<double>(terms) * p.tiny;
  return !(reach + b <= p.largest) ? undecided_at(value) : bounded{value, b};
}
} // namespace detail

/// Sum in any order, in arithmetic p.
inline bounded sum(row const& x, precision const& p) {
  long double value = 0;
  double bound = 0, reach = 0;
  bool whole = true, finite = true;
  for (long i = 0; i < x.n; ++i) {
    bounded const e = x[i];
    value += e.value;
    bound += e.bound;
    reach += std::fabs(e.value) + e.bound;
    whole = whole && e.value == std::floor(e.value);
    finite = finite && std::isfinite(e.value);
  }
  double const v = static_cast<double>(value);
  if (bound == infinity) return undecided_at(v);
  if (!finite) return {v, 0};
  if (x.n == 1) return x[0];
  return detail::summed(v, bound, reach, whole, x.n, p);
}

/// Sum of products, accumulated in any order in arithmetic p. A product of zero and infinity is NaN, as written.
inline bounded dot(row const& x, row const& y, precision const& p) {
  long double value = 0;
  double bound = 0, reach = 0;
  bool whole = true, finite = true, surely_nan = false;
  for (long i = 0; i < x.n; ++i) {
    bounded const a = x[i], b = y[i];
    double const product = a.value * b.value;
    if (!std::isfinite(product) || undecided(a) || undecided(b)) {
      bounded const doubtful = mul(a, b, p);
      if (undecided(doubtful)) bound = infinity;
      else surely_nan = surely_nan || std::isnan(doubtful.value);
      value += doubtful.value;
      finite = false;
      continue;
    }
    double const spread = std::fabs(a.value) * b.bound + std::fabs(b.value) * a.bound + a.bound * b.bound;
    value += static_cast<long double>(a.value) * b.value;
    bound += spread;
    reach += std::fabs(product) + spread;
    whole = whole && product == std::floor(product);
  }
  double const v = static_cast<double>(value);
  if (bound == infinity && !surely_nan) return undecided_at(v);
  if (!finite) return {surely_nan ? std::nan("") : v, 0};
  return detail::summed(v, bound, reach, whole, x.n + 1, p);
}

/// The largest: minus infinity of nothing, NaN where there is one.
inline bounded largest(row const& x, precision const&) {
  bounded m{-infinity, 0};
  for (long i = 0; i < x.n; ++i) m = max(m, x[i]);
  return m;
}
/// The smallest: infinity of nothing, NaN where there is one.
inline bounded smallest(row const& x, precision const&) {
  bounded m{infinity, 0};
  for (long i = 0; i < x.n; ++i) m = min(m, x[i]);
  return m;
}
/// The mean; NaN of nothing.
inline bounded mean(row const& x, precision const& p) { return div(sum(x, p), {static_cast<double>(x.n), 0}, p); }

/// The row relative to its largest m: the sum of exp(x - m), and how far it may be off either way. An implementation
/// may work in blocks with a running maximum, so that an exponent is a sum of differences of numbers up to |x| and |m|.
struct exponentials {
  double largest = -infinity, sum = 0, sum_low = 0, sum_high = 0, n = 0, unit = 0;
  // What surely is the largest has exactly exponent 0, however large it is: rows filled with one number are uniform.
  bool any_undecided = false, any_nan = false, surely = true;
  // Only differences of exponents count: where the one largest is off by much, all others are taken to be off by that
  // more. Of huge scores it then still is the winner by far.
  double shift = 0;

  double term(bounded const& x) const { return std::exp(x.value - largest); }
  /// How far the exponent of x may be off.
  double off(bounded const& x) const {
    if (x.value == -infinity || ((surely || shift > 0) && x.value == largest)) return 0;
    return unshifted(x) + shift;
  }
  double unshifted(bounded const& x) const { return x.bound + unit * (4 * (std::fabs(x.value) + std::fabs(largest)) + 6); }
  double least(bounded const& x) const { return std::exp(x.value - largest - off(x)); }
  double most(bounded const& x) const { return std::exp(x.value - largest + off(x)); }
};
inline exponentials exponentials_of(row const& x, precision const& p) {
  exponentials e;
  e.n = static_cast<double>(x.n);
  e.unit = unit_of(p);
  for (long i = 0; i < x.n; ++i) {
    bounded const a = x[i];
    e.any_undecided = e.any_undecided || undecided(a);
    e.any_nan = e.any_nan || std::isnan(a.value) || a.value == infinity;
    if (!std::isnan(a.value)) e.largest = std::max(e.largest, a.value);
  }
  if (e.any_undecided || e.any_nan || e.largest == -infinity) return e;
  long ties = 0;
  double doubt = 0;
  for (long i = 0; i < x.n; ++i) {
    e.surely = e.surely && (certain(x[i]) || high(x[i]) < e.largest);
    if (x[i].value == e.largest) ++ties, doubt = e.unshifted(x[i]);
  }
  if (!e.surely && ties == 1 && doubt > 1) e.shift = doubt;
  for (long i = 0; i < x.n; ++i) {
    bounded const a = x[i];
    double const term = e.term(a);
    e.sum += term;
    e.sum_low += e.least(a);
    e.sum_high += term == 0 && a.bound == 0 ? 0 : e.most(a);
  }
  return e;
}

/// log(sum(exp(x))); minus infinity where nothing is kept. Plus infinity gives infinity, or NaN where it was taken from
/// itself, as a softmax does.
inline bounded logsumexp(row const& x, precision const& p) {
  exponentials const e = exponentials_of(x, p);
  double const v = e.largest + std::log(e.sum);
  if (e.any_undecided) return undecided_at(v);
  if (e.any_nan) {
    bool infinite = std::isinf(e.largest);
    for (long i = 0; i < x.n; ++i) infinite = infinite && !std::isnan(x[i].value);
    return infinite ? undecided_at(infinity) : bounded{std::nan(""), 0};
  }
  if (e.largest == -infinity) return {-infinity, 0};
  double const spread = std::max(std::log(e.sum_high / e.sum), std::log(e.sum / e.sum_low));
  return rounded({v, e.shift + spread + detail::chain(e.n + 8, p) + 4 * unit_of(p) * std::fabs(e.largest)}, p, 2);
}

/// What softmax gives for an element x of the row: exp(x - max) / sum(exp(x - max)). A row with nothing kept follows
/// the policy; plus infinity or NaN make all NaN.
inline bounded weight(exponentials const& e, bounded const& x, empty_policy policy, precision const& p) {
  if (e.any_undecided) return undecided_at(0);
  if (e.any_nan) return {std::nan(""), 0};
  if (e.largest == -infinity) {
    if (policy == empty_policy::nan) return {std::nan(""), 0};
    return policy == empty_policy::zeros ? bounded{0, 0} : rounded({1 / e.n, 0}, p, 2);
  }
  if (x.value == -infinity) return {0, 0};
  double const w = e.term(x) / e.sum, up = e.most(x) / e.sum_low, down = e.least(x) / e.sum_high;
  bounded const spread = detail::both_ways(down, w, up);
  if (undecided(spread)) return spread;
  return rounded({w, spread.bound + detail::chain(e.n + 8, p) * up + e.n * p.tiny}, p, 2);
}

} // namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA
