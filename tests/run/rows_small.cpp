// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Small modules: self-attention by one qkv projection, cross-attention, and the memory-efficient call.
#include <cmath>
#include <cross_attention.hpp>
#include <random_parameters.hpp>
#include <self_attention.hpp>
#include <support/references.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::test::expect_right;
using attend::test::expect_same_input;
using attend::test::expect_torch_by_routes;
using attend::test::reference;
using attend::test::references;
using examples::drawn;

// Rows 26 to 32: SelfAttention(64) of x (1, 10, 64).
struct self_attention_of_10 : testing::Test {
  attend::nn::safetensors const torch = references("self_attention");
  examples::random_parameters const drawn_parameters{2};
  self_attention::parameters p;
  decltype(drawn(1, 2, b = 1_c, s = 10_c, c = 64_c)) const x = drawn(1, 2, b = 1_c, s = 10_c, c = 64_c);

  auto of_torch(char const* name) const { return reference<double>(torch, name, b = 1_c, s = 10_c, c = 64_c); }

  self_attention_of_10() {
    attend::nn::load(p, drawn_parameters);
    expect_same_input(x, of_torch("input"), "x");
  }
  auto qkv() const { return attend::nn::linear(x, p.to_qkv); }
  auto part_of_heads(long i) const { return at(split(qkv(), f, part = 3_c, n = 8_c, d), part, i); }
};

TEST_F(self_attention_of_10, row_26_one_projection_without_bias) {
  expect_torch_by_routes(slice(qkv(), s, 0, 2), reference<double>(torch, "row_26", b = 1_c, s = 2_c, f = 1536_c), "qkv", {64});
}

TEST_F(self_attention_of_10, row_27_split_in_three_and_into_heads) {
  expect_torch_by_routes(slice(part_of_heads(1), s, 0, 2), reference<double>(torch, "row_27", b = 1_c, n = 8_c, s = 2_c, d = 64_c), "keys", {64});
}

TEST_F(self_attention_of_10, row_28_scores_scaled_by_the_head_dim) {
  auto const scores = part_of_heads(0) * transpose(part_of_heads(1)) * std::pow(64., -0.5);
  expect_torch_by_routes(scores, reference<double>(torch, "row_28", b = 1_c, n = 8_c, s = 10_c, prime(s) = 10_c), "scores", {64, 64});
}

TEST_F(self_attention_of_10, row_29_heads_merged_and_output_layer) {
  auto const output = self_attention::output(x, p);
  static_assert(attend::is_fused<decltype(output)>);
  expect_torch_by_routes(output, of_torch("row_29"), "output", {64, 64, 10, 512});
}

TEST_F(self_attention_of_10, row_30_output_dropout) { expect_torch_by_routes(dropout(self_attention::output(x, p), 0.1, 5), of_torch("row_30"), "output", {64, 64, 10, 512}); }

TEST_F(self_attention_of_10, row_31_its_mask_works) {
  auto const mask = attend::values<bool>({true, true, false, true, true, true, false, true, true, true}, b = 1_c, s = 10_c);
  auto const output = self_attention::output(x, p, keep(rename(mask, s, prime(s))));
  static_assert(attend::is_fused<decltype(output)>);
  expect_torch_by_routes(output, of_torch("row_31"), "masked", {64, 64, 10, 512});
  auto const plain = evaluate(self_attention::output(x, p)), kept = evaluate(output);
  EXPECT_FALSE(std::equal(plain.begin(), plain.end(), kept.begin())) << "the mask reaches the result";
}

TEST_F(self_attention_of_10, row_32_shape) {
  auto const y = evaluate(self_attention::output(x, p));
  static_assert(std::is_same_v<std::remove_cvref_t<decltype(y)>::shape, std::remove_cvref_t<decltype(x)>::shape>);
  EXPECT_EQ(y.size(), 1 * 10 * 64);
}

TEST(cross_attention_of_10, row_33_context_of_another_width) {
  auto const torch = references("cross_attention");
  examples::random_parameters const drawn_parameters(3);
  cross_attention::parameters p;
  attend::nn::load(p, drawn_parameters);
  auto const x = drawn(1, 2, b = 1_c, s = 10_c, c = 64_c);
  auto const context = drawn(2, 2, b = 1_c, t = 20_c, cross_attention::context_features);
  expect_same_input(x, reference<double>(torch, "input", b = 1_c, s = 10_c, c = 64_c), "x");
  expect_same_input(context, reference<double>(torch, "context", b = 1_c, t = 20_c, cross_attention::context_features), "context");
  auto const output = cross_attention::output(x, context, p);
  static_assert(attend::is_fused<decltype(output)>);
  static_assert(std::is_same_v<decltype(evaluate(output))::shape, std::remove_cvref_t<decltype(x)>::shape>);
  expect_torch_by_routes(output, reference<double>(torch, "row_33", b = 1_c, s = 10_c, c = 64_c), "output", {77, 64, 20, 512});
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

} // namespace
