// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Modules on a batch of 3 sequences of 5 tokens, embedding 512, 8 heads of 64, with padding where the id is 0.
#include <cmath>
#include <support/routes.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::test::expect_right;
using attend::test::expect_within;

struct modules : testing::Test {
  static auto ids() { return attend::values<std::int64_t>({100, 200, 300, 300, 0, 22, 33, 44, 0, 0, 66, 55, 66, 30, 0}, b = 3_c, s = 5_c); }
  static auto embedded() {
    static auto const table = attend::normal<float>(attend::seed{1}, w = 301_c, c = 512_c);
    static auto const tokens = ids();
    return evaluate(gather(table, tokens));
  }
  static auto weight(std::uint64_t stream) { return evaluate(attend::normal<float>(attend::seed{stream}, c = 512_c, f = 512_c) * (1 / std::sqrt(512.))); }
};

TEST_F(modules, row_1_embedding) {
  auto const table = attend::normal<float>(attend::seed{1}, w = 301_c, c = 512_c);
  auto const tokens = ids();
  auto const x = evaluate(gather(table, tokens));
  static_assert(std::is_same_v<decltype(x)::shape::dims, attend::detail::types<std::remove_const_t<decltype(b)>, std::remove_const_t<decltype(s)>, std::remove_const_t<decltype(c)>>>);
  for (long i = 0; i < 3; ++i)
    for (long j = 0; j < 5; ++j)
      for (long k = 0; k < 512; ++k) ASSERT_EQ(x(b = i, s = j, c = k), table(w = tokens(b = i, s = j), c = k));
}

TEST_F(modules, row_2_padding_mask_of_ids) {
  auto const tokens = ids();
  auto const padding = evaluate(tokens == 0);
  for (long i = 0; i < padding.size(); ++i) EXPECT_EQ(padding.data()[i], tokens.data()[i] == 0);
}

TEST_F(modules, rows_3_to_6_masks_broadcast_by_name_and_both_fills) {
  auto const tokens = ids();
  auto const all = attend::full<bool>(true, b = 3_c, prime(s) = 5_c);
  auto const single = attend::normal<float>(attend::seed{2}, b = 3_c, s = 5_c, prime(s) = 5_c);
  auto const heads = attend::normal<float>(attend::seed{3}, b = 3_c, n = 8_c, s = 5_c, prime(s) = 5_c);
  auto const cross = attend::normal<float>(attend::seed{4}, b = 3_c, t = 4099, s = 5_c);
  auto const keys = rename(tokens == 0, s, prime(s));
  expect_right(softmax(masked(single, drop(keys))), "single head");
  expect_right(softmax(masked(heads, drop(keys))), "8 heads");
  expect_right(softmax(masked(cross, drop(tokens == 0)), s), "cross");
  expect_right(softmax(masked(heads, drop(keys), -1e9)), "finite fill");
  auto const zeros = evaluate(softmax(masked(single, drop(all))));
  auto const uniform = evaluate(softmax(masked(single, drop(all), -1e9)));
  for (float x : zeros) EXPECT_EQ(x, 0.f);
  for (float x : uniform) EXPECT_FLOAT_EQ(x, 0.2f);
}

TEST_F(modules, row_3_cross_mask_of_an_image_is_never_stored) {
  auto const tokens = ids();
  auto const scores = attend::normal<float>(attend::seed{5}, t = 262144, s = 5_c);
  auto const weights = softmax(masked(scores, drop(at(tokens, b, 0) == 0)), s);
  auto const w = evaluate(weights);
  EXPECT_NE(explain(weights).find("workspace 0 B"), std::string::npos);
  for (long i = 0; i < 262144; i += 997) {
    double sum = 0;
    for (long j = 0; j < 5; ++j) sum += w(t = i, s = j);
    EXPECT_EQ(w(t = i, s = 4), 0.f); // padding
    EXPECT_NEAR(sum, 1, 6 * 0x1p-24 * 5);
  }
}

TEST_F(modules, row_7_self_attention_gives_output_and_weights) {
  auto const tokens = ids();
  auto const x = embedded();
  auto const wq = weight(11), wk = weight(12), wv = weight(13);
  auto const wo = evaluate(rename(rename(rename(weight(14), c, e), f, c), e, f)); // (f, c)
  auto const bo = attend::normal<float>(attend::seed{15}, c = 512_c);
  auto const q = x * wq;
  auto const k = x * wk;
  auto const v = x * wv;
  auto const weights = softmax(masked(q * transpose(k) * (1 / std::sqrt(512.)), drop(rename(tokens == 0, s, prime(s)))));
  auto const output = weights * v * wo + bo;
  static_assert(attend::is_fused<decltype(output)>);
  auto const [o, w] = evaluate(output, weights);
  expect_within(attend::oracle(output), o, "output");
  expect_within(attend::oracle(weights), w, "weights");
  expect_right(output, "output alone");
}

TEST_F(modules, row_8_heads_that_do_not_divide_are_refused) {
  auto const x = embedded();
  long const heads = 7;
  try {
    evaluate(split(x, c, n = heads, d));
    FAIL();
  } catch (attend::shape_error const& e) {
    EXPECT_NE(std::string(e.what()).find("512"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("7"), std::string::npos);
  }
}

TEST_F(modules, rows_9_to_12_multi_head_attention_with_dropout) {
  auto const tokens = ids();
  auto const x = embedded();
  auto const wq = weight(21), wk = weight(22), wv = weight(23);
  auto const wo = evaluate(rename(rename(rename(weight(24), c, e), f, c), e, f));
  auto const bo = attend::normal<float>(attend::seed{25}, c = 512_c);
  auto const heads = [&](auto const& m) { return split(x * m, f, n = 8_c, d); };
  auto const q = heads(wq), k = heads(wk), v = heads(wv);
  EXPECT_EQ(evaluate(q).extent(d), 64);
  auto const scores = q * transpose(k) / 8;
  auto const s88 = evaluate(scores);
  EXPECT_EQ(s88.size(), 3 * 8 * 5 * 5);
  expect_right(scores, "scores");
  auto const weights = softmax(masked(scores, drop(rename(tokens == 0, s, prime(s)))));
  auto const dropped = dropout(weights, 0.3, 99);
  auto const output = merge(weights * v, n, d, f) * wo + bo;
  auto const trained = merge(dropped * v, n, d, f) * wo + bo;
  static_assert(attend::is_fused<decltype(output)>);
  static_assert(attend::is_fused<decltype(trained)>);
  expect_right(output, "output");
  auto const [o, w] = evaluate(trained, dropped);
  expect_within(attend::oracle(trained), o, "output after dropout");
  expect_within(attend::oracle(dropped), w, "weights after dropout");
  long zeros = 0;
  for (long i = 0; i < 3; ++i) zeros += w(b = i, n = 0, s = 0) == 0.f;
  auto const again = evaluate(dropped);
  EXPECT_TRUE(std::equal(w.begin(), w.end(), again.begin(), [](float x, float y) { return (x == 0) == (y == 0); })) << "the draws are those of the seed";
}

} // namespace
