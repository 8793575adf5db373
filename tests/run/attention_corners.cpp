// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Corners of the fused attention that random score functions have found.
#include "support/fused.hpp"
#include "support/routes.hpp"

namespace {

using namespace attend::dims;
using attend::index;
using attend::test::expect_within;
using attend::test::fused;

constexpr float infinity = std::numeric_limits<float>::infinity();

struct corners : testing::Test {
  decltype(attend::normal<float>(b = 2, s = 20, d = 8)) q = attend::normal<float>(b = 2, s = 20, d = 8);
  decltype(attend::normal<float>(b = 2, t = 30, d = 8)) k = attend::normal<float>(b = 2, t = 30, d = 8);
  decltype(attend::normal<float>(b = 2, t = 30, e = 9)) v = attend::normal<float>(b = 2, t = 30, e = 9);
};

// A softmax does not change by what is added to a row, unless that is infinite: minus infinity masks the row.
TEST_F(corners, rows_masked_by_a_bias) {
  auto bias = attend::normal<float>(b = 2, s = 20);
  bias(b = 1, s = 3) = -infinity;
  bias(b = 0, s = 5) = infinity;
  auto const x = q * transpose(k) + bias;
  auto const o = softmax(x, attend::empty_row::uniform) * v;
  auto const [out, sums] = fused(o, logsumexp(x, t));
  expect_within(attend::oracle(o), out, "output");
  expect_within(attend::oracle(logsumexp(x, t)), sums, "log-sum-exps", 0.4);
}

// What dropout leaves out is zero, in a row of NaN too.
TEST_F(corners, dropout_of_a_row_of_nan) {
  q(b = 1, s = 3, d = 2) = std::nanf("");
  auto const weights = attend::dropout(softmax(q * transpose(k)), 0.5, 7);
  auto const [out, written] = fused(weights * v, weights);
  expect_within(attend::oracle(weights * v), out, "output");
  expect_within(attend::oracle(weights), written, "weights");
}

// Positions alone do not say how long a dim is: what the looked-up numbers meet further up does.
TEST_F(corners, length_in_what_is_looked_up) {
  auto const relative = attend::normal<float>(w = 30);
  auto const o = softmax(q * transpose(k) + gather(relative, length(t) - 1 - index(t), w)) * v;
  expect_within(attend::oracle(o), std::get<0>(fused(o)), "output");
}

} // namespace
