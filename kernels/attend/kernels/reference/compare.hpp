// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Judges an implementation's values by the reference and its bounds.
#pragma once
#include <attend/kernels/reference/array.hpp>
#include <sstream>

namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA {

/// The outcome of a comparison.
struct report {
  long elements = 0, wrong = 0, undecided = 0;
  double worst = 0;    ///< largest error, in units of its bound; infinite where a certain value was missed
  double loosest = 0;  ///< largest finite bound over the largest finite magnitude: near 1, a pass says little
  std::string message; ///< the first offending position, or what else is amiss

  /// Nothing wrong, and no more than this share of the elements left undecided.
  bool good(double undecided_share = 0.05) const {
    return wrong == 0 && static_cast<double>(undecided) <= undecided_share * static_cast<double>(elements);
  }
};

/// Compares values given row-major in the order of expected's axes.
inline report compare(array const& expected, std::vector<double> const& actual) {
  report r;
  r.elements = expected.size();
  if (static_cast<long>(actual.size()) != expected.size()) {
    r.wrong = std::max<long>(1, expected.size());
    r.worst = infinity;
    r.message = "expected " + std::to_string(expected.size()) + " elements, got " + std::to_string(actual.size());
    return r;
  }
  double magnitude = 0, loosest = 0;
  long i = 0;
  for (extents const& at : positions(expected.shape)) {
    bounded const e = expected[i];
    double const a = actual[static_cast<std::size_t>(i)];
    ++i;
    if (undecided(e)) {
      ++r.undecided;
      continue;
    }
    bool const special = !std::isfinite(e.value);
    bool const same = std::isnan(e.value) ? std::isnan(a) : a == e.value;
    double const error = std::fabs(a - e.value);
    if (!special) magnitude = std::max(magnitude, std::fabs(e.value)), loosest = std::max(loosest, e.bound);
    if (same) continue;
    double const ratio = special || !std::isfinite(error) ? infinity : error / e.bound;
    r.worst = std::max(r.worst, ratio);
    if (ratio <= 1) continue;
    if (r.wrong++ == 0) {
      std::ostringstream out;
      out.precision(9);
      out << "at";
      for (int k = 0; k < at.rank(); ++k) out << ' ' << text(expected.axes[k]) << " = " << at[k] << " of " << expected.shape[k];
      out << ": expected " << e.value << " within " << e.bound << ", got " << a;
      r.message = out.str();
    }
  }
  r.loosest = magnitude > 0 ? loosest / magnitude : 0;
  if (r.wrong > 0) r.message += "; " + std::to_string(r.wrong) + " of " + std::to_string(r.elements) + " wrong";
  else if (r.undecided > 0) r.message = std::to_string(r.undecided) + " of " + std::to_string(r.elements) + " undecided";
  return r;
}

template <class T>
report compare(array const& expected, std::vector<T> const& actual) {
  return compare(expected, std::vector<double>(actual.begin(), actual.end()));
}

} // namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA
