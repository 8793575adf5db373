// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Small modules: self-attention by one qkv projection, cross-attention, the memory-efficient call, and a ViT block.
#include <cmath>
#include <support/routes.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::test::expect_right;

auto scaled_weight(std::uint64_t stream, auto rows, auto columns) {
  return evaluate(attend::normal<float>(attend::seed{stream}, rows, columns) * (1 / std::sqrt(static_cast<double>(rows.size()))));
}

// One projection to queries, keys and values, split along the last axis; scale dim_head^-0.5; output layer with bias.
template <class X, class W, class O, class B>
auto self_attention(X const& x, W const& wqkv, O const& wo, B const& bo) {
  auto const qkv = split(x * wqkv, f, part = 3_c, n = 8_c, d);
  auto const scores = at(qkv, part, 0) * transpose(at(qkv, part, 1)) * std::pow(64., -0.5);
  return [qkv, scores, &wo, &bo](auto const& change) { return merge(softmax(change(scores)) * at(qkv, part, 2), n, d, e) * wo + bo; };
}

TEST(small_modules, rows_26_to_32_self_attention) {
  auto const x = attend::normal<float>(attend::seed{1}, b = 1, s = 10, c = 64_c);
  auto const wqkv = scaled_weight(2, c = 64_c, f = 1536_c);
  auto const wo = evaluate(rename(scaled_weight(3, f = 512_c, c = 64_c), f, e));
  auto const bo = attend::normal<float>(attend::seed{4}, c = 64_c);
  auto const module = self_attention(x, wqkv, wo, bo);
  auto const plain = module([](auto const& scores) { return scores; });
  static_assert(attend::is_fused<decltype(plain)>);
  EXPECT_EQ(evaluate(plain).size(), 10 * 64);
  expect_right(plain, "plain");
  expect_right(dropout(plain, 0.1, 5), "output dropout");
  // row 31: its mask works
  auto const mask = attend::values<bool>({true, true, false, true, true, true, false, true, true, true}, b = 1, s = 10);
  auto const kept = module([&](auto const& scores) { return masked(scores, keep(rename(mask, s, prime(s)))); });
  static_assert(attend::is_fused<decltype(kept)>);
  expect_right(kept, "masked");
  auto const a = evaluate(plain), m = evaluate(kept);
  EXPECT_FALSE(std::equal(a.begin(), a.end(), m.begin())) << "the mask reaches the result";
}

TEST(small_modules, row_33_cross_attention) {
  auto const x = attend::normal<float>(attend::seed{1}, b = 1, s = 10, c = 64_c);
  auto const context = attend::normal<float>(attend::seed{2}, b = 1, t = 20, w = 77_c);
  auto const wq = scaled_weight(3, c = 64_c, f = 512_c);
  auto const wk = scaled_weight(4, w = 77_c, f = 512_c), wv = scaled_weight(5, w = 77_c, f = 512_c);
  auto const wo = evaluate(rename(scaled_weight(6, f = 512_c, c = 64_c), f, e));
  auto const q = split(x * wq, f, n = 8_c, d);
  auto const k = split(context * wk, f, n = 8_c, d), v = split(context * wv, f, n = 8_c, d);
  auto const out = merge(softmax(q * transpose(k) / 8) * v, n, d, e) * wo;
  static_assert(attend::is_fused<decltype(out)>);
  EXPECT_EQ(evaluate(out).size(), 10 * 64);
  expect_right(out);
}

template <class T>
struct memory_efficient : testing::Test {};
using element_types = testing::Types<float, attend::bf16, attend::f16>;
TYPED_TEST_SUITE(memory_efficient, element_types);

// Rows 34 to 38: (batch, rows, heads, K), strided, with a value dim of its own; p = 0.2, lower-triangular, dense bias.
TYPED_TEST(memory_efficient, rows_34_to_38) {
  using T = TypeParam;
  auto const storage = attend::normal<T>(attend::seed{1}, b = 2, s = 19, n = 3, part = 3, d = 32); // q, k, v side by side
  auto const q = at(storage, part, 0);
  auto const k = rename(at(storage, part, 1), s, t), v = rename(at(storage, part, 2), s, t);
  auto const wide = attend::normal<T>(attend::seed{2}, b = 2, t = 19, n = 3, e = 40);
  auto const bias = attend::normal<T>(attend::seed{3}, b = 2, n = 3, s = 19, t = 19);
  auto const scores = (q * std::pow(32., -0.5)) * transpose(k);
  expect_right(softmax(scores) * v, "plain");
  expect_right(softmax(scores) * wide, "value dim");
  expect_right(softmax(masked(scores, keep(causal(s, t)))) * v, "lower-triangular");
  expect_right(softmax(scores + bias) * v, "bias");
  expect_right(dropout(softmax(scores + bias), 0.2, 7) * v, "dropout");
  auto const no_heads = at(storage, n, 1);
  expect_right(softmax(at(no_heads, part, 0) * transpose(rename(at(no_heads, part, 1), s, t))) * rename(at(no_heads, part, 2), s, t), "without heads");
}

TEST(vit_block, rows_40_and_41) {
  auto const x = attend::normal<float>(attend::seed{1}, b = 3_c, s = 196_c, c = 768_c);
  auto const gain = attend::uniform<float>(attend::seed{2}, c = 768_c), shift = attend::normal<float>(attend::seed{3}, c = 768_c);
  auto const wqkv = scaled_weight(4, c = 768_c, f = 2304_c);
  auto const wo = evaluate(rename(scaled_weight(5, f = 768_c, c = 768_c), f, e));
  auto const bo = attend::normal<float>(attend::seed{6}, c = 768_c);
  auto const centred = x - mean(x, c);
  auto const normalised = hadamard(hadamard(centred, rsqrt(mean(hadamard(centred, centred), c) + 1e-5)), gain) + shift;
  auto const y = evaluate(normalised);
  attend::test::expect_within(attend::oracle(normalised), y, "layer norm");
  auto const qkv = split(y * wqkv, f, part = 3_c, n = 8_c, d); // (B, N, 3, H, C / H), heads of 96
  auto const heads = softmax(at(qkv, part, 0) * transpose(at(qkv, part, 1)) * std::pow(96., -0.5)) * at(qkv, part, 2);
  auto const block = merge(heads, n, d, e) * wo + bo;
  static_assert(attend::is_fused<decltype(block)>);
  auto const fused = evaluate(block);
  EXPECT_EQ(fused.size(), 3 * 196 * 768);
  // the oracle of parts, each of what the part before it gave: some rows of the projections, one sequence's heads 2 and 3
  auto const projected = evaluate(y * wqkv);
  auto const rows = slice(at(y, b, 1), s, 90, 93) * wqkv;
  attend::test::expect_within(attend::oracle(rows), evaluate(slice(at(projected, b, 1), s, 90, 93)), "projection");
  auto const some = slice(at(split(projected, f, part = 3_c, n = 8_c, d), b, 1), n, 2, 4);
  auto const weights = softmax(at(some, part, 0) * transpose(at(some, part, 1)) * std::pow(96., -0.5));
  expect_right(weights * at(some, part, 2), "heads");
  expect_right(dropout(weights, 0.1, 1) * at(some, part, 2), "attention dropout");
  auto const merged = evaluate(merge(heads, n, d, e));
  auto const last = slice(at(merged, b, 1), s, 0, 3) * wo + bo;
  expect_right(dropout(last, 0.1, 2), "projection dropout");
  attend::test::expect_within(attend::oracle(last), evaluate(slice(at(fused, b, 1), s, 0, 3)), "block");
}

} // namespace
