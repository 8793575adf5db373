// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The oracle walks every kind of node: small expressions against answers worked out by hand.
#include <attend/kernels/reference/compare.hpp>
#include <attend/oracle.hpp>
#include <gtest/gtest.h>

using namespace attend;
using namespace attend::dims;
using namespace attend::literals;

namespace {

inline constexpr struct row_of_mine final : attend::dim<"mine", role::matrix, row_of_mine> { using dim::operator=; } mine;

template <class E>
void expect(E const& e, std::string const& axes, std::vector<double> const& values) {
  auto const x = oracle(e);
  std::string names;
  for (auto const& a : x.axes) names += (names.empty() ? "" : " ") + kernels::reference::text(a);
  EXPECT_EQ(names, axes);
  ASSERT_EQ(x.values.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) EXPECT_TRUE(std::isnan(x.values[i])) << i;
    else if (std::isinf(values[i])) EXPECT_EQ(x.values[i], values[i]) << i;
    else EXPECT_NEAR(x.values[i], values[i], 1e-12 * std::max(1.0, std::fabs(values[i]))) << i;
  }
}

struct oracle_of : testing::Test {
  tensor<float, struct host, axis<struct dims::s, 2>, axis<struct dims::d, 3>> const x = values<float>({1, 2, 3, 4, 5, 6}, s = 2_c, d = 3_c);
  tensor<float, struct host, axis<struct dims::t, dynamic>, axis<struct dims::d, 3>> const y = values<float>({1, 0, 0, 0, 1, 1}, t = 2, d = 3_c);
};

TEST_F(oracle_of, leaves) {
  expect(x + 0, "s d", {1, 2, 3, 4, 5, 6});
  float const memory[] = {0, 1, 2, 3, 4, 5, 6, 7};
  expect(abs(view(memory + 6, strides(s = 1l, d = 0l), s = 2, d = 2)), "s d", {6, 6, 7, 7});
  float const backwards[] = {1, 2, 3};
  auto v = view(backwards + 2, s = 3);
  v.strides[0] = -1;
  expect(-v, "s", {-3, -2, -1});
  expect(normal<float>(s = 0) + 1, "s", {});
}

TEST_F(oracle_of, elementwise) {
  expect(2 * x - 1, "s d", {1, 3, 5, 7, 9, 11});
  expect(x / 2, "s d", {0.5, 1, 1.5, 2, 2.5, 3});
  expect(where(x > 2, x, -1), "s d", {-1, -1, 3, 4, 5, 6});
  expect(hadamard(x, values<float>({1, 10}, s = 2)), "s d", {1, 2, 3, 40, 50, 60});
  expect(values<float>({1, 10}, s = 2) - x, "s d", {0, -1, -2, 6, 5, 4});
  expect(max(x, 3) + min(x, 2), "s d", {4, 5, 5, 6, 7, 8});
  expect(gelu(values<float>({0, 1, -1}, s = 3)), "s", {0, 0.84134474606854293, -0.15865525393145707});
  expect(pow(values<float>({2, 3}, s = 2), 2), "s", {4, 9});
  expect(cast<std::int32_t>(values<float>({1.7f, -1.7f}, s = 2)), "s", {1, -1});
  expect(cast<float>(values<std::int64_t>({5, 2}, s = 2)) / 4, "s", {1.25, 0.5});
  expect(values<std::int64_t>({5, 2}, s = 2) / 4, "s", {1.25, 0.5});
  expect(!(x < 3 || x >= 5) && x != 4, "s d", {0, 0, 1, 0, 0, 0});
  expect(cast<bf16>(values<float>({1.00390625f, 1.01171875f}, s = 2)), "s", {1, 1.015625});
}

TEST_F(oracle_of, positions) {
  expect(0 * x + index(s) * 10 + index(d), "s d", {0, 1, 2, 10, 11, 12});
  expect(0 * x + length(d) - length(s), "s d", {1, 1, 1, 1, 1, 1});
  expect(slice(0 * x + index(d), d, 1, 3), "s d", {1, 2, 1, 2});
  expect(at(0 * x + index(d), d, 2), "s", {2, 2});
  expect(slice(x, d, 1, 3) + index(d), "s d", {2, 4, 5, 7});
  expect(rename(0 * x + index(d), d, e) + 10 * index(e), "s e", {0, 11, 22, 0, 11, 22});
  expect(rename(0 * x + index(d), d, mine), "s mine", {0, 1, 2, 0, 1, 2});
  expect(sum(0 * x + index(d), d) + index(s), "s", {3, 4});
  expect(merge(0 * x + index(d) + 10 * index(s), s, d, c), "c", {0, 1, 2, 10, 11, 12});
  expect(split(0 * values<float>({0, 0, 0, 0}, c = 4) + index(c), c, n = 2, d), "n d", {0, 1, 2, 3});
}

TEST_F(oracle_of, products) {
  expect(x * transpose(y), "s t", {1, 5, 4, 11});
  expect(contract(x, y, d), "s t", {1, 5, 4, 11});
  expect(contract(y, x, d), "t s", {1, 4, 5, 11});
  expect(x * transpose(x), "s s'", {14, 32, 32, 77});
  expect((x * transpose(x)) * x, "s d", {142, 188, 234, 340, 449, 558});
  expect(contract(x, x, s, d), "", {91});
}

TEST_F(oracle_of, reductions) {
  expect(sum(x), "s", {6, 15});
  expect(sum(x, s), "d", {5, 7, 9});
  expect(mean(x, s, d), "", {3.5});
  expect(max(x, d) - min(x, d), "s", {2, 2});
  expect(logsumexp(x * 0, d), "s", {std::log(3.0), std::log(3.0)});
  expect(sum(where(x > 2, 1, 0), d), "s", {1, 3});
}

TEST_F(oracle_of, masks_and_softmax) {
  auto const scores = 0 * contract(x, y, d);
  expect(softmax(masked(scores, keep(causal(s, t))), t), "s t", {1, 0, 0.5, 0.5});
  expect(softmax(masked(scores, drop(causal(s, t))), t), "s t", {0, 1, 0, 0});
  expect(softmax(masked(scores, drop(causal(s, t))), t, empty_row::uniform), "s t", {0, 1, 0.5, 0.5});
  expect(softmax(masked(scores, drop(causal(s, t))), t, empty_row::nan), "s t", {0, 1, std::nan(""), std::nan("")});
  expect(softmax(masked(scores, drop(causal(s, t)), -1e9f), t), "s t", {0, 1, 0.5, 0.5});
  auto const wide = 0 * contract(x, values<float>({1, 0, 0, 0, 1, 1, 0, 0, 0}, t = 3, d = 3_c), d);
  expect(softmax(masked(wide, keep(causal(s, t, bottom_right))), t), "s t", {0.5, 0.5, 0, 1. / 3, 1. / 3, 1. / 3});
  expect(masked(wide, keep(window(s, t, 0, 1))), "s t", {0, 0, -INFINITY, -INFINITY, 0, 0});
  auto const batched = wide + zeros<float>(b = 2);
  expect(masked(batched, drop(padding(t, values<std::int64_t>({2, 0}, b = 2)))), "s t b", {0, -INFINITY, 0, -INFINITY, -INFINITY, -INFINITY, 0, -INFINITY, 0, -INFINITY, -INFINITY, -INFINITY});
}

TEST_F(oracle_of, look_ups) {
  auto const ids = values<std::int32_t>({1, 1, 0}, w = 3);
  expect(gather(x, ids, s), "w d", {4, 5, 6, 4, 5, 6, 1, 2, 3});
  expect(gather(x, ids), "w d", {4, 5, 6, 4, 5, 6, 1, 2, 3});
  auto const dropped = oracle(dropout(x, 0.5, 3));
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_EQ(dropped.values[i], kernels::reference::dropout_keeps(0.5, 3, i) ? 2 * static_cast<double>(i + 1) : 0);
  EXPECT_THROW(oracle(gather(x, values<std::int32_t>({2}, w = 1), s)), std::out_of_range);
}

TEST_F(oracle_of, bounds_follow_the_types) {
  auto const third = [](auto const& v) { return oracle(v / 3).bound[0]; };
  EXPECT_EQ(oracle(x + 0).bound[0], 0) << "a whole number that the format holds is exact";
  EXPECT_LT(third(values<double>({1}, s = 1)), 1e-15);
  EXPECT_GT(third(values<float>({1}, s = 1)), 1e-9);
  EXPECT_LT(third(values<float>({1}, s = 1)), 1e-7);
  EXPECT_GT(third(values<bf16>({bf16(1.0f)}, s = 1)), 1e-3);
  EXPECT_LT(third(values<bf16>({bf16(1.0f)}, s = 1)), 4e-3);
  // the weights of attention are read as bf16
  auto const q = normal<bf16>(seed{1}, s = 3, d = 8);
  auto const k = normal<bf16>(seed{2}, t = 9, d = 8);
  auto const v = normal<bf16>(seed{3}, t = 9, e = 1);
  auto const coarse = oracle(cast<float>(softmax(q * transpose(k)) * v));
  auto const fine = oracle(softmax(cast<float>(q) * transpose(cast<float>(k))) * cast<float>(v));
  EXPECT_GT(coarse.bound[0], 1e-3);
  EXPECT_LT(fine.bound[0], 1e-4);
}

} // namespace
