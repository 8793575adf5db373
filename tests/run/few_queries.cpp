// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Few query rows against many keys, as in decoding: every way they come, against the oracle.
#include "support/routes.hpp"
#include <tbb/global_control.h>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::index;
using attend::oracle;
using attend::test::expect_right;
using attend::test::expect_within;

template <class T>
class few_queries : public ::testing::Test {};
using element_types = ::testing::Types<float, attend::bf16, attend::f16>;
TYPED_TEST_SUITE(few_queries, element_types);

TYPED_TEST(few_queries, rows_and_keys_of_any_number) {
  for (long rows : {1, 2, 3, 4, 7, 8})
    for (long keys : {256, 257, 1000}) {
      auto const q = attend::normal<TypeParam>(b = 2, s = rows, d = 24);
      auto const k = attend::normal<TypeParam>(b = 2, t = keys, d = 24);
      auto const v = attend::normal<TypeParam>(b = 2, t = keys, e = 40);
      auto const what = std::to_string(rows) + " rows, " + std::to_string(keys) + " keys";
      auto const x = masked(q * transpose(k) / 4, keep(causal(s, t, attend::bottom_right)));
      auto const expr = softmax(x) * v;
      expect_within(oracle(expr), evaluate(expr), what);
    }
}

TYPED_TEST(few_queries, depth_and_width_of_any_number) {
  for (long depth : {1, 7, 8, 65})
    for (long width : {1, 9, 64, 137}) {
      auto const q = attend::normal<TypeParam>(s = 3, d = depth);
      auto const k = attend::normal<TypeParam>(t = 300, d = depth);
      auto const v = attend::normal<TypeParam>(t = 300, e = width);
      auto const expr = softmax(q * transpose(k)) * v;
      expect_within(oracle(expr), evaluate(expr), "depth " + std::to_string(depth) + ", width " + std::to_string(width));
    }
}

// The maximum that weights are made with stays behind by a little, and is caught up with by more.
TYPED_TEST(few_queries, scores_that_rise_and_fall) {
  auto const q = attend::normal<TypeParam>(s = 5, d = 24);
  auto const k = attend::normal<TypeParam>(t = 700, d = 24);
  auto const v = attend::normal<TypeParam>(t = 700, e = 40);
  for (float slope : {0.01f, 0.2f, 3.f, -0.1f}) {
    auto const x = q * transpose(k) / 8 + slope * index(t);
    auto const expr = softmax(x) * v;
    auto const [o, l] = evaluate(expr, logsumexp(x));
    expect_within(oracle(expr), o, "slope " + std::to_string(slope));
    expect_within(oracle(logsumexp(x)), l, "log-sum-exps of slope " + std::to_string(slope));
  }
}

TYPED_TEST(few_queries, heads_that_share_keys) {
  auto const q = attend::normal<TypeParam>(b = 2, n = 12, s = 1, d = 32);
  auto const k = attend::normal<TypeParam>(b = 2, t = 500, g = 3_c, d = 32); // a cache with heads in the middle
  auto const v = attend::normal<TypeParam>(b = 2, t = 500, g = 3_c, e = 32);
  auto const slope = attend::normal<float>(g = 3_c, r = 4);
  auto const lengths = attend::values<std::int32_t>({500, 77}, b = 2);
  auto const x = masked(split(q, n, g = 3_c, r) * transpose(k) / 5 + slope * index(t) / 100, drop(padding(t, lengths)));
  auto const expr = merge(softmax(x) * v, g, r, n);
  static_assert(attend::is_fused<decltype(expr)>);
  expect_within(oracle(expr), evaluate(expr), "grouped");
  auto const sums = logsumexp(x);
  auto const [o, l] = evaluate(softmax(x) * v, sums);
  expect_within(oracle(softmax(x) * v), o, "grouped, beside its log-sum-exps");
  expect_within(oracle(sums), l, "log-sum-exps");
}

TEST(few_queries, storage) {
  auto const q = attend::normal<float>(d = 24, b = 2, s = 3);
  auto const k = attend::normal<float>(d = 24, b = 2, t = 300); // transposed: computed by panels
  auto const rows = attend::normal<float>(b = 2, t = 600, d = 48);
  auto const v = attend::normal<float>(t = 300, b = 2, e = 9);
  expect_right(softmax(contract(q, k, d), t) * v, "keys by columns");
  auto const part = slice(slice(rows, t, 100, 400), d, 24, 48);
  expect_right(softmax(contract(q, part, d), t) * v, "a part of the keys");
  auto out = attend::uninitialized<float>(e = 9, s = 3, b = 2);
  auto const expr = softmax(contract(q, part, d), t) * v;
  evaluate(attend::into(out), expr);
  auto ordered = attend::uninitialized<float>(b = 2, s = 3, e = 9);
  evaluate(attend::into(ordered), out);
  auto same_order = attend::uninitialized<float>(b = 2, s = 3, e = 9);
  evaluate(attend::into(same_order), expr);
  for (long i = 0; i < ordered.size(); ++i) EXPECT_EQ(ordered.begin()[i], same_order.begin()[i]);
}

TEST(few_queries, masks_gains_and_no_softmax) {
  auto const q = attend::normal<float>(b = 3, s = 2, d = 24);
  auto const k = attend::normal<float>(b = 3, t = 700, d = 24);
  auto const v = attend::normal<float>(b = 3, t = 700, e = 24);
  auto const x = q * transpose(k);
  auto const z = attend::normal<float>(b = 3);
  auto const bias = attend::normal<float>(s = 2, t = 700);
  expect_right(softmax(masked(x, keep(index(t) >= 300 + 100 * index(s) && index(t) < 420))) * v, "most blocks skipped");
  expect_right(softmax(masked(x, keep(index(t) + index(s) < 0))) * v, "nothing kept");
  expect_right(softmax(masked(x, keep(index(t) + index(s) < 0)), attend::empty_row::uniform) * v, "nothing kept, uniform");
  expect_right(softmax(masked(x + bias, keep(index(s) < 1 && index(t) >= 0))) * v, "one row of nothing");
  expect_right(attend::dropout(softmax(x), 0.25, 5) * v, "dropout");
  expect_right(softmax(x, attend::sink(z)) * v, "a sink");
  expect_right(sigmoid(x - 2) * v, "sigmoid");
  expect_right(where(window(s, t, 0, 99), x, 0) * v, "linear");
  auto const weights = softmax(x);
  auto const [o, w] = evaluate(weights * v, weights);
  expect_within(oracle(weights * v), o, "beside its weights");
  expect_within(oracle(weights), w, "weights");
}

TEST(few_queries, values_no_bound_speaks_of) {
  auto q = attend::normal<float>(s = 3, d = 8);
  auto k = attend::normal<float>(t = 300, d = 8);
  auto v = attend::normal<float>(t = 300, e = 8);
  for (long i = 0; i < 8; ++i) q(s = 0, d = i) *= 1e18f, q(s = 1, d = i) *= 1e-30f;
  expect_right(softmax(q * transpose(k)) * v, "huge and tiny scores");
  q(s = 2, d = 3) = std::numeric_limits<float>::quiet_NaN();
  auto const out = evaluate(softmax(q * transpose(k)) * v);
  for (long i = 0; i < 8; ++i) EXPECT_TRUE(std::isfinite(out(s = 0, e = i)) && std::isfinite(out(s = 1, e = i)) && std::isnan(out(s = 2, e = i)));
}

// However many threads share the keys.
TEST(few_queries, threads) {
  auto const q = attend::normal<float>(s = 1, d = 64);
  auto const k = attend::normal<float>(t = 20000, d = 64);
  auto const v = attend::normal<float>(t = 20000, e = 64);
  auto const expr = softmax(q * transpose(k) / 8) * v;
  auto const expected = oracle(expr);
  for (std::size_t threads : {1u, 2u, 5u}) {
    tbb::global_control const limit(tbb::global_control::max_allowed_parallelism, threads);
    expect_within(expected, evaluate(expr), std::to_string(threads) + " threads");
  }
}

} // namespace
