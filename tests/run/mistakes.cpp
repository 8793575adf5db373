// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Mistakes that calls by position invite, which here do not matter, or are seen. Those that do not compile are files of
// tests/fail: layers/heads_not_merged, products/heads_and_rows_exchanged, masks/mask_of_queries_and_batch, and more.
#include <cmath>
#include <support/routes.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::into;
using attend::test::route_in_scope;

char const* const routes[] = {"fused", "thrust", "reference"};

// (batch, heads, rows, d) storage for a call that was written for (batch, rows, heads, d): the same elements by name.
TEST(mistakes, N1_the_order_of_storage_does_not_matter) {
  auto const attention = [](auto const& q, auto const& k, auto const& v) { return softmax(q * transpose(k) * std::pow(96., -0.5)) * v; };
  auto const stored = [](std::uint64_t seed, auto rows) { return attend::normal<float>(attend::seed{seed}, b = 2_c, rows, n = 8_c, d = 96_c); };
  auto const q = stored(1, s = 196_c);
  auto const k = stored(2, t = 196_c), v = stored(3, t = 196_c);
  auto const moved = [](auto const& x, auto rows) {
    auto y = attend::uninitialized<float>(b = 2_c, n = 8_c, rows, d = 96_c);
    evaluate(into(y), x);
    return y;
  };
  auto const mq = moved(q, s = 196_c);
  auto const mk = moved(k, t = 196_c), mv = moved(v, t = 196_c);
  auto const heads_first = attention(mq, mk, mv);
  for (char const* name : {"fused", "thrust"}) {
    route_in_scope const by(name);
    auto const want = evaluate(attention(q, k, v));
    auto const have = evaluate(heads_first);
    double worst = 0, across = 0;
    for (long i = 0; i < 2; ++i)
      for (long j = 0; j < 196; ++j)
        for (long l = 0; l < 8; ++l)
          for (long m = 0; m < 96; ++m) {
            double const w = want(b = i, s = j, n = l, d = m);
            worst = std::fmax(worst, std::abs(w - have(b = i, s = j, n = l, d = m)));
            across = std::fmax(across, std::abs(w - want.data()[((i * 8 + l) * 196 + j) * 96 + m])); // by position, if it were (b, n, s, d)
          }
    EXPECT_LE(worst, 196 * 0x1p-24) << name; // weights of 196 keys that sum to 1, values of size 1, in any order
    EXPECT_GT(across, 0.1) << name << ": the two layouts hold the same";
  }
}

TEST(mistakes, N2_scaling_twice_is_seen) {
  auto const q = attend::normal<float>(b = 2, s = 5, d = 64_c), k = attend::normal<float>(b = 2, s = 7, d = 64_c);
  auto const keys = rename(k, s, t);
  auto const v = attend::normal<float>(b = 2, t = 7, d = 64_c);
  auto const scaled = q / 8;
  EXPECT_NE(explain(softmax(q * transpose(keys) / 8) * v).find("effective scale of the scores 0.125\n"), std::string::npos);
  EXPECT_NE(explain(softmax(scaled * transpose(keys)) * v).find("effective scale of the scores 0.125\n"), std::string::npos);
  EXPECT_NE(explain(softmax(scaled * transpose(keys) / 8) * v).find("effective scale of the scores 0.015625\n"), std::string::npos);
}

// A mask (batch, keys) over scores (batch, queries, keys), as many queries as batches.
TEST(mistakes, N5_a_mask_of_batch_and_keys_is_one_where_batch_equals_queries) {
  auto const q = attend::normal<float>(b = 4, s = 4, d = 8);
  auto const k = attend::normal<float>(b = 4, t = 6, d = 8);
  auto const pad = attend::values<bool>({0, 0, 0, 0, 0, 1, //
                                         0, 0, 0, 0, 1, 1, //
                                         0, 1, 0, 1, 0, 1, //
                                         1, 0, 0, 0, 0, 0},
                                        b = 4, t = 6);
  auto const weights = softmax(masked(q * transpose(k), drop(pad)));
  for (char const* name : routes) {
    route_in_scope const by(name);
    auto const w = evaluate(weights);
    for (long i = 0; i < 4; ++i)
      for (long j = 0; j < 4; ++j)
        for (long l = 0; l < 6; ++l) EXPECT_EQ(w(b = i, s = j, t = l) == 0, pad(b = i, t = l)) << name << ": batch " << i << ", query " << j << ", key " << l;
  }
}

// Every operand reaches the result, by every route and by the kernel for few queries: leaving it out gives another.
TEST(mistakes, N6_nothing_is_silently_dropped) {
  for (long const queries : {40l, 1l}) {
    auto const q = attend::normal<float>(b = 2, n = 2, s = queries, d = 16_c);
    auto const k = attend::normal<float>(b = 2, n = 2, t = 40, d = 16_c), v = attend::normal<float>(b = 2, n = 2, t = 40, d = 16_c);
    auto const lengths = attend::values<std::int32_t>({40, 17}, b = 2);
    auto const bias = attend::normal<float>(n = 2, s = queries, t = 40);
    auto const gate = attend::uniform<float>(n = 2);
    auto const z = attend::normal<float>(n = 2);
    auto const scores = q * transpose(k);
    for (char const* name : routes) {
      route_in_scope const by(name);
      auto const plain = evaluate(softmax(scores) * v);
      auto const expect_other = [&](auto const& expr, char const* what) {
        auto const y = evaluate(expr);
        EXPECT_FALSE(std::equal(plain.begin(), plain.end(), y.begin(), y.end())) << what << " by route " << name << " of " << queries << " queries";
        auto const report = attend::kernels::reference::compare(attend::oracle(expr), attend::test::values_of(y));
        EXPECT_TRUE(report.good()) << what << " by route " << name << " of " << queries << " queries: " << report.message;
      };
      expect_other(softmax(scores / 4) * v, "a scale");
      expect_other(softmax(masked(scores, drop(padding(t, lengths)))) * v, "a padding mask");
      expect_other(softmax(masked(scores, drop(padding(t, lengths)), -1e9)) * v, "a finite fill");
      expect_other(softmax(masked(scores, keep(causal(s, t)))) * v, "a causal mask");
      expect_other(softmax(masked(scores, keep(window(s, t, 3, 2)))) * v, "a window");
      expect_other(softmax(scores + bias) * v, "a bias");
      expect_other(softmax(masked(scores + bias, keep(causal(s, t)))) * v, "a bias under a causal mask");
      expect_other(dropout(softmax(scores), 0.5, 3) * v, "dropout");
      expect_other(contract(hadamard(softmax(scores), gate), v, t), "a gate");
      expect_other(softmax(scores, attend::sink(z)) * v, "a sink");
    }
  }
}

} // namespace
