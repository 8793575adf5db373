// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs an expression by every route and holds each result against the float64 oracle and its bounds.
#pragma once
#include <attend/attend.hpp>
#include <attend/kernels/reference/compare.hpp>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>

namespace attend::test {

/// The route for evaluations in a scope.
class route_in_scope {
public:
  explicit route_in_scope(char const* name) { setenv("ATTEND_ATTENTION", name, 1); }
  ~route_in_scope() { unsetenv("ATTEND_ATTENTION"); }
};

/// Elements of a result in the order of its dims.
template <class T, class... A>
std::vector<double> values_of(tensor<T, struct host, A...> const& x) {
  std::vector<double> values;
  for (T const& v : x) values.push_back(static_cast<double>(v));
  return values;
}

template <class Array, class T, class... A>
void expect_within(Array const& expected, tensor<T, struct host, A...> const& result, std::string const& what,
                   double undecided_share = 0.05) {
  auto const report = kernels::reference::compare(expected, values_of(result));
  EXPECT_TRUE(report.good(undecided_share)) << what << ": " << report.message;
  EXPECT_LT(report.undecided, std::max(1l, report.elements)) << what;
}

/// evaluate(expr) by the fused and by the unfused route is within the oracle's bounds.
template <class E>
void expect_right(E const& expr, std::string const& what = "") {
  auto const expected = oracle(expr);
  for (char const* name : {"fused", "thrust"}) {
    route_in_scope const by(name);
    expect_within(expected, evaluate(expr), what + " by route " + name);
  }
}

} // namespace attend::test
