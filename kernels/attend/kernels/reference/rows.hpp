// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reductions and normalisations of one row of bounded numbers, in any order of summation.
#pragma once
#include <attend/kernels/reference/bounded.hpp>
#include <vector>

namespace attend::kernels::reference {

using row = std::vector<bounded>;

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
  for (bounded const& e : x) {
    value += e.value;
    bound += e.bound;
    reach += std::fabs(e.value) + e.bound;
    whole = whole && e.value == std::floor(e.value);
    finite = finite && std::isfinite(e.value);
  }
  double const v = static_cast<double>(value);
  if (bound == infinity) return undecided_at(v);
  if (!finite) return {v, 0};
  if (x.size() == 1) return x[0];
  return detail::summed(v, bound, reach, whole, static_cast<long>(x.size()), p);
}

/// Sum of products, accumulated in any order in arithmetic p. A product of zero and infinity is NaN, as written.
inline bounded dot(row const& x, row const& y, precision const& p) {
  long double value = 0;
  double bound = 0, reach = 0;
  bool whole = true, finite = true;
  for (std::size_t i = 0; i < x.size(); ++i) {
    bounded const &a = x[i], &b = y[i];
    double const product = a.value * b.value;
    if (!std::isfinite(product) || undecided(a) || undecided(b)) {
      bounded const doubtful = mul(a, b, p);
      if (undecided(doubtful)) bound = infinity;
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
  if (bound == infinity) return undecided_at(v);
  if (!finite) return {v, 0};
  return detail::summed(v, bound, reach, whole, static_cast<long>(x.size()) + 1, p);
}

/// The largest: minus infinity of nothing, NaN where there is one.
inline bounded max(row const& x) {
  bounded m{-infinity, 0};
  for (bounded const& e : x) m = max(m, e);
  return m;
}
/// The smallest: infinity of nothing, NaN where there is one.
inline bounded min(row const& x) {
  bounded m{infinity, 0};
  for (bounded const& e : x) m = min(m, e);
  return m;
}
/// The mean; NaN of nothing.
inline bounded mean(row const& x, precision const& p) {
  return div(sum(x, p), {static_cast<double>(x.size()), 0}, p);
}

namespace detail {
// The row relative to its largest: exp(x - m), their sum, and by how much each exponent may be off. An implementation
// may work in blocks with a running maximum, so that the exponent is a sum of differences of numbers up to |x| and |m|.
struct exponentials {
  double largest = -infinity, sum = 0, sum_low = 0, sum_high = 0;
  std::vector<double> term, off;
  bool any_undecided = false, any_nan = false;
};
inline exponentials exponentials_of(row const& x, precision const& p) {
  exponentials e;
  for (bounded const& a : x) {
    e.any_undecided = e.any_undecided || undecided(a);
    e.any_nan = e.any_nan || std::isnan(a.value) || a.value == infinity;
    if (!std::isnan(a.value)) e.largest = std::max(e.largest, a.value);
  }
  if (e.any_undecided || e.any_nan || e.largest == -infinity) return e;
  // What surely is the largest has exactly exponent 0, however large it is: rows filled with one number are uniform.
  bool const surely = std::all_of(x.begin(), x.end(), [&](bounded const& a) { return certain(a) || high(a) < e.largest; });
  for (bounded const& a : x) {
    double const term = std::exp(a.value - e.largest);
    double const off = a.value == -infinity ? 0 : surely && a.value == e.largest ? 0 : a.bound + unit_of(p) * (4 * (std::fabs(a.value) + std::fabs(e.largest)) + 6);
    e.term.push_back(term);
    e.off.push_back(off);
    e.sum += term;
    e.sum_low += term * std::exp(-off);
    e.sum_high += term == 0 && a.bound == 0 ? 0 : std::exp(a.value - e.largest + off);
  }
  return e;
}
} // namespace detail

/// log(sum(exp(x))); minus infinity where nothing is kept.
inline bounded logsumexp(row const& x, precision const& p) {
  detail::exponentials const e = detail::exponentials_of(x, p);
  double const v = e.largest + std::log(e.sum);
  if (e.any_undecided) return undecided_at(v);
  if (e.any_nan) return std::isinf(e.largest) && !std::any_of(x.begin(), x.end(), [](bounded const& a) { return std::isnan(a.value); })
                            ? bounded{infinity, 0} : bounded{std::nan(""), 0};
  if (e.largest == -infinity) return {-infinity, 0};
  double const spread = std::max(std::log(e.sum_high / e.sum), std::log(e.sum / e.sum_low));
  double const n = static_cast<double>(x.size());
  return rounded({v, spread + detail::chain(n + 8, p) + 4 * unit_of(p) * std::fabs(e.largest)}, p, 2);
}

/// exp(x - max) / sum(exp(x - max)). A row with nothing kept follows the policy; plus infinity or NaN make all NaN.
inline row softmax(row const& x, empty_policy policy, precision const& p) {
  detail::exponentials const e = detail::exponentials_of(x, p);
  double const n = static_cast<double>(x.size());
  row y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (e.any_undecided) y.push_back(undecided_at(0));
    else if (e.any_nan) y.push_back({std::nan(""), 0});
    else if (e.largest == -infinity)
      y.push_back(policy == empty_policy::zeros     ? bounded{0, 0}
                  : policy == empty_policy::uniform ? rounded({1 / n, 0}, p, 2)
                                                    : bounded{std::nan(""), 0});
    else if (x[i].value == -infinity) y.push_back({0, 0});
    else {
      // w exp(off_i) / sum w_j exp(-off_j), and the same downwards
      double const w = e.term[i] / e.sum;
      double const up = w * std::exp(e.off[i]) * (e.sum / e.sum_low), down = w * std::exp(-e.off[i]) * (e.sum / e.sum_high);
      bounded const spread = detail::both_ways(down, w, up);
      y.push_back(rounded({w, spread.bound + detail::chain(n + 8, p) * up + n * p.tiny}, p, 2));
    }
  }
  return y;
}

} // namespace attend::kernels::reference
