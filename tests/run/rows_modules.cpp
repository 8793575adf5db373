// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Modules on a batch of 3 sequences of 5 tokens, embedding 512, 8 heads of 64, with padding where the id is 0.
#include <cmath>
#include <modules.hpp>
#include <random_parameters.hpp>
#include <support/references.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::test::expect_torch;
using attend::test::expect_torch_by_routes;
using attend::test::reference;
using attend::test::references;
using examples::drawn;

inline constexpr auto table_rows = w = 301_c;

struct rows : testing::Test {
  attend::nn::safetensors const torch = references("modules");
  decltype(attend::values<std::int64_t>({}, b = 3_c, s = 5_c)) const ids =
      attend::values<std::int64_t>({100, 200, 300, 300, 0, 22, 33, 44, 0, 0, 66, 55, 66, 30, 0}, b = 3_c, s = 5_c);
  decltype(drawn(1, 2, table_rows, modules::features)) const table = drawn(1, 2, table_rows, modules::features);
  attend::nn::embedding_parameters<table_rows, modules::features> const embedding{table.view()};
  decltype(attend::zeros<float>(b = 3_c, s = 5_c, c = 512_c)) const x = evaluate(attend::nn::embedding(ids, embedding));

  template <class... E>
  auto of_torch(char const* name, E... e) const {
    return reference<double>(torch, name, e...);
  }
  // Row 2, as an expression: of the tokens, and of the keys of self-attention.
  auto padding() const { return ids == 0; }
  auto padded_keys() const { return rename(padding(), s, prime(s)); }
};

TEST_F(rows, row_1_embedding) {
  for (long i = 0; i < 3; ++i)
    for (long j = 0; j < 5; ++j)
      for (long k = 0; k < 512; ++k) ASSERT_EQ(x(b = i, s = j, c = k), table(w = ids(b = i, s = j), c = k));
  attend::test::expect_same_input(evaluate(slice(x, c, 0_c, 32_c)), of_torch("row_1", b = 3_c, s = 5_c, c = 32_c), "embedded ids");
}

TEST_F(rows, row_2_padding_mask_of_ids) {
  auto const mask = evaluate(padding());
  auto const expected = reference<std::int64_t>(torch, "row_2", b = 3_c, s = 5_c);
  for (long i = 0; i < 15; ++i) EXPECT_EQ(mask.data()[i], expected.data[i] == 1);
}

TEST_F(rows, row_3_mask_of_self_attention_by_name) {
  auto const scores = drawn(7, 2, b = 3_c, s = 5_c, prime(s) = 5_c);
  expect_torch_by_routes(softmax(masked(scores, drop(padded_keys()))), of_torch("row_3.self", b = 3_c, s = 5_c, prime(s) = 5_c), "weights");
}

TEST_F(rows, row_3_mask_of_an_image_is_never_stored) {
  auto const scores = drawn(9, 2, b = 3_c, t = 262144_c, s = 5_c);
  auto const weights = softmax(masked(scores, drop(padding())), s);
  EXPECT_NE(explain(weights).find("workspace 0 B"), std::string::npos) << explain(weights);
  auto const found = evaluate(weights);
  // pixels whose weights are in the file
  auto const places = reference<std::int64_t>(torch, "row_3.rows", r = 8_c);
  auto some_scores = attend::zeros<float>(b = 3_c, t = 8_c, s = 5_c), some = attend::zeros<float>(b = 3_c, t = 8_c, s = 5_c);
  for (long i = 0; i < 3; ++i)
    for (long j = 0; j < 8; ++j)
      for (long k = 0; k < 5; ++k) {
        some_scores(b = i, t = j, s = k) = scores(b = i, t = places(r = j), s = k);
        some(b = i, t = j, s = k) = found(b = i, t = places(r = j), s = k);
      }
  expect_torch(softmax(masked(some_scores, drop(padding())), s), some, of_torch("row_3.cross", b = 3_c, t = 8_c, s = 5_c), "weights");
  // every other: padding has no weight, and a row sums to 1 but for five weights' roundings and four sums'
  for (long i = 0; i < 3; ++i)
    for (long j = 0; j < 262144; ++j) {
      double sum = 0;
      for (long k = 0; k < 5; ++k) {
        sum += found(b = i, t = j, s = k);
        if (ids(b = i, s = k) == 0) {
          ASSERT_EQ(found(b = i, t = j, s = k), 0.f);
        }
      }
      ASSERT_NEAR(sum, 1, (5 + 4) * 0x1p-24 * 5);
    }
}

TEST_F(rows, row_4_mask_over_heads_by_name) {
  auto const scores = drawn(8, 2, b = 3_c, n = 8_c, s = 5_c, prime(s) = 5_c);
  expect_torch_by_routes(softmax(masked(scores, drop(padded_keys()))), of_torch("row_4", b = 3_c, n = 8_c, s = 5_c, prime(s) = 5_c), "weights");
}

// The second sequence is nothing but padding.
TEST_F(rows, row_5_minus_infinity_with_a_fully_masked_row) {
  auto const scores = drawn(7, 2, b = 3_c, s = 5_c, prime(s) = 5_c);
  auto const filled = masked(scores, drop(padded_keys() || attend::index(b) == 1));
  expect_torch_by_routes(softmax(filled, attend::empty_row::nan), of_torch("row_5", b = 3_c, s = 5_c, prime(s) = 5_c), "weights");
  auto const zeros = evaluate(softmax(filled));
  auto const other = evaluate(softmax(filled, attend::empty_row::nan));
  for (long i = 0; i < zeros.size(); ++i) EXPECT_EQ(zeros.data()[i], std::isnan(other.data()[i]) ? 0.f : other.data()[i]);
  EXPECT_TRUE(std::isnan(other(b = 1)));
}

TEST_F(rows, row_6_finite_fill_makes_a_fully_masked_row_uniform) {
  auto const scores = drawn(7, 2, b = 3_c, s = 5_c, prime(s) = 5_c);
  auto const filled = softmax(masked(scores, drop(padded_keys() || attend::index(b) == 1), -1e9));
  expect_torch_by_routes(filled, of_torch("row_6", b = 3_c, s = 5_c, prime(s) = 5_c), "weights");
  auto const weights = evaluate(filled);
  for (long i = 0; i < 25; ++i) EXPECT_FLOAT_EQ(weights.data()[25 + i], 0.2f);
}

struct modules_of_tokens : rows {
  examples::random_parameters const drawn_parameters{2};
  modules::parameters p;
  modules_of_tokens() { attend::nn::load(p, drawn_parameters); }
};

TEST_F(modules_of_tokens, row_7_single_head_gives_output_and_weights) {
  auto const [output, weights] = modules::single_head(x, drop(padded_keys()), p);
  static_assert(attend::is_fused<decltype(output)>);
  for (char const* name : {"fused", "thrust"}) {
    attend::test::route_in_scope const by(name);
    auto const [o, w] = evaluate(output, weights);
    expect_torch(output, o, of_torch("row_7.output", b = 3_c, s = 5_c, c = 512_c), std::string("output by route ") + name, {512, 512, 5, 512});
    expect_torch(weights, w, of_torch("row_7.weights", b = 3_c, s = 5_c, prime(s) = 5_c), std::string("weights by route ") + name, {512, 512, 5});
  }
}

TEST_F(modules_of_tokens, row_8_heads_that_do_not_divide_are_refused) { // static ones: tests/fail/views/heads_do_not_divide.cpp
  long const heads = 7;
  try {
    evaluate(modules::multi_head(x, drop(padded_keys()), p, n = heads).first);
    FAIL();
  } catch (attend::shape_error const& e) {
    for (char const* word : {"512", "7", "'f'"}) EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
  }
}

TEST_F(modules_of_tokens, row_9_heads) {
  auto const heads = modules::split_heads(attend::nn::linear(x, p.query), n = 8_c);
  expect_torch_by_routes(slice(heads, n, 0_c, 2_c), of_torch("row_9", b = 3_c, n = 2_c, s = 5_c, d = 64_c), "queries", {512});
  EXPECT_EQ(evaluate(heads).size(), 3 * 8 * 5 * 64);
}

TEST_F(modules_of_tokens, row_10_scores) {
  expect_torch_by_routes(modules::scores(x, p, n = 8_c), of_torch("row_10", b = 3_c, n = 8_c, s = 5_c, prime(s) = 5_c), "scores", {512, 64});
}

TEST_F(modules_of_tokens, rows_11_and_12_dropout_gives_the_weights_after_it) {
  auto const drop_some = [](auto const& weights) { return dropout(weights, 0.3, 99); };
  auto const [output, weights] = modules::multi_head(x, drop(padded_keys()), p, n = 8_c, drop_some);
  static_assert(attend::is_fused<decltype(output)>);
  for (char const* name : {"fused", "thrust"}) {
    attend::test::route_in_scope const by(name);
    auto const [o, w] = evaluate(output, weights);
    expect_torch(output, o, of_torch("row_12.dropout", b = 3_c, s = 5_c, c = 512_c), std::string("output by route ") + name, {512, 64, 5, 512});
    expect_torch(weights, w, of_torch("row_11", b = 3_c, n = 8_c, s = 5_c, prime(s) = 5_c), std::string("weights by route ") + name, {512, 64, 5});
  }
}

TEST_F(modules_of_tokens, row_12_heads_merged_and_output_layer) {
  auto const output = modules::multi_head(x, drop(padded_keys()), p, n = 8_c).first;
  static_assert(attend::is_fused<decltype(output)>);
  expect_torch_by_routes(output, of_torch("row_12", b = 3_c, s = 5_c, c = 512_c), "output", {512, 64, 5, 512});
}

} // namespace
