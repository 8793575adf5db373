// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Plans of whole expressions: other orders of products, blocks along a dim, views that move nothing, memory of the
// caller's. Each against the float64 oracle, and against the same expression as written.
#include <cmath>
#include <support/routes.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::test::expect_right;
using attend::test::expect_within;

template <class E>
double largest_error(E const& expr) {
  auto const expected = attend::oracle(expr);
  auto const values = attend::test::values_of(evaluate(expr));
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) worst = std::fmax(worst, std::abs(values[i] - expected[static_cast<long>(i)].value));
  return worst;
}

/// A plan in another order than written: right, and at most twice as far from the oracle.
template <class E>
void expect_reordered(E const& expr, std::string const& what) {
  EXPECT_NE(explain(expr).find("another order than written"), std::string::npos) << what;
  EXPECT_EQ(explain(as_written(expr)).find("another order than written"), std::string::npos) << what;
  expect_right(expr, what);
  expect_right(as_written(expr), what + ", as written");
  EXPECT_LE(largest_error(expr), 2 * largest_error(as_written(expr)) + 1e-12) << what;
}

auto matrix(std::uint64_t stream, auto rows, auto columns) {
  return evaluate(attend::normal<float>(attend::seed{stream}, rows, columns) / std::sqrt(static_cast<double>(rows.size())));
}

struct association : testing::Test {
  decltype(attend::normal<float>(b = 2, s = 300, c = 48_c)) x = attend::normal<float>(attend::seed{1}, b = 2, s = 300, c = 48_c);
  decltype(matrix(2, c = 48_c, f = 40_c)) w1 = matrix(2, c = 48_c, f = 40_c);
  decltype(matrix(3, f = 40_c, e = 56_c)) w2 = matrix(3, f = 40_c, e = 56_c);
  decltype(matrix(4, e = 56_c, w = 3_c)) w3 = matrix(4, e = 56_c, w = 3_c);
  decltype(attend::normal<float>(f = 40_c)) b1 = attend::normal<float>(attend::seed{5}, f = 40_c);
  decltype(attend::normal<float>(e = 56_c)) b2 = attend::normal<float>(attend::seed{6}, e = 56_c);
  decltype(attend::normal<float>(w = 3_c)) b3 = attend::normal<float>(attend::seed{7}, w = 3_c);
};

TEST_F(association, products_only) { expect_reordered(x * w1 * w2 * w3, "chain"); }
TEST_F(association, with_offsets) { expect_reordered(((x * w1 + b1) * w2 + b2) * w3 + b3, "affine chain"); }
TEST_F(association, with_offset_in_the_middle_only) { expect_reordered((x * w1 * w2 + b2) * w3, "one offset"); }
TEST_F(association, with_scales) { expect_reordered((((x * w1) * 0.5 + b1) * 3 * w2 - (-b2)) * w3 * 0.25 + b3 * 2, "scaled"); }
TEST_F(association, with_offsets_on_both_sides) { expect_reordered((b2 + (b1 + x * w1) * w2) * w3, "offset first"); }
TEST_F(association, offset_written_twice) { expect_reordered(((x * w1 + b1 + b1) * w2 + b2) * w3, "two offsets"); }
TEST_F(association, summed_dims_of_the_same_name) {
  auto const back = matrix(8, f = 40_c, c = 48_c);
  auto const narrow = matrix(9, c = 48_c, w = 3_c);
  expect_reordered((x * w1 + b1) * back * narrow, "c twice");
}
TEST_F(association, inside_a_softmax_and_a_sum) {
  expect_reordered(softmax((x * w1 + b1) * w2 * w3, w), "softmax");
  expect_reordered(sum((x * w1 + b1) * w2 * w3, s), "sum");
}

TEST_F(association, a_long_result_is_left_as_written) {
  auto const wide = matrix(10, c = 48_c, f = 400_c);
  auto const wider = matrix(11, f = 400_c, e = 500_c);
  EXPECT_EQ(explain(attend::normal<float>(s = 20, c = 48_c) * wide * wider).find("another order"), std::string::npos);
}

TEST_F(association, short_data_is_left_as_written_at_run_time) {
  auto const few = attend::normal<float>(attend::seed{12}, b = 1, s = 2, c = 48_c);
  auto const expr = ((few * w1 + b1) * w2 + b2) * w3 + b3;
  EXPECT_EQ(explain(expr).find("another order"), std::string::npos);
  expect_right(expr);
}

TEST_F(association, an_offset_that_cancels_one_of_the_data_costs_nothing) {
  // x is 1000 everywhere, give and take; b1 takes away what the first product makes of 1000
  auto const shifted = evaluate(x + 1000);
  auto const ones = attend::full<float>(-1000, c = 48_c);
  auto const cancelling = evaluate(contract(ones, w1, c));
  auto const expr = ((shifted * w1 + cancelling) * w2 + b2) * w3;
  EXPECT_NE(explain(expr).find("another order"), std::string::npos);
  EXPECT_LE(largest_error(expr), 2 * largest_error(as_written(expr)));
}

TEST_F(association, scores_and_values_of_attention) {
  auto const context = attend::normal<float>(attend::seed{13}, b = 2, t = 4, c = 48_c);
  auto const wk = matrix(14, c = 48_c, f = 40_c), wv = matrix(15, c = 48_c, f = 40_c);
  auto const wo = matrix(16, f = 40_c, w = 3_c);
  auto const image = attend::normal<float>(attend::seed{17}, b = 2, s = 300, e = 3_c);
  auto const wi = matrix(18, e = 3_c, c = 48_c);
  auto const heads = [](auto const& y) { return split(y, f, n = 5_c, d); };
  auto const q = heads(image * wi * w1 + b1);
  auto const k = heads(context * wk + b1);
  auto const v = heads(context * wv);
  auto const weights = softmax(masked(q * transpose(k) * 0.3, keep(index(t) < 3)));
  auto const out = merge(weights * v, n, d, f) * wo + b3;
  static_assert(attend::is_fused<decltype(out)>);
  static_assert(attend::is_fused<decltype(as_written(out))>);
  expect_reordered(out, "attention");
  auto const [o, p] = evaluate(out, weights);
  expect_within(attend::oracle(out), o, "output of both");
  expect_within(attend::oracle(weights), p, "weights of both");
}

TEST_F(association, half_precision) {
  auto const x16 = evaluate(attend::cast<attend::bf16>(x));
  auto const m1 = evaluate(attend::cast<attend::bf16>(w1));
  auto const m2 = evaluate(attend::cast<attend::bf16>(w2));
  auto const m3 = evaluate(attend::cast<attend::bf16>(w3));
  auto const expr = x16 * m1 * m2 * m3;
  expect_right(expr, "bf16");
  expect_right(as_written(expr), "bf16, as written");
}

// ---- views
TEST(views, merged_dims_of_a_chain_are_not_stored) {
  auto const image = attend::normal<float>(attend::seed{1}, b = 2, c = 3_c, h = 7_c, w = 9_c);
  auto const m = matrix(2, c = 3_c, f = 16_c);
  auto const tokens = merge(contract(image, m, c), h, w, t); // (b, f, t)
  EXPECT_EQ(explain(relu(tokens)).find("step 2"), std::string::npos) << explain(relu(tokens));
  expect_right(exp(tokens) + 1, "pass");
  expect_right(softmax(tokens, f), "softmax beside the merged dim");
  expect_right(softmax(tokens, t), "softmax along it");
  expect_right(sum(tokens, t), "sum along it");
  expect_right(tokens + index(t), "its position");
  expect_right(dropout(tokens, 0.4, 3), "dropout counts along it");
  expect_right(slice(tokens, t, 5, 30), "slice of it");
  expect_right(rename(tokens, t, s) * 2, "renamed");
  expect_right(split(exp(tokens), t, h = 7_c, w = 9_c), "split as before");
  expect_right(split(exp(tokens), t, h = 9_c, w = 7_c), "split otherwise");
  expect_right(split(exp(tokens), t, h = long{9}, w), "split otherwise at run time");
  expect_right(split(exp(tokens), t, s = 3_c, e), "split by other names");
  auto const column = attend::normal<float>(attend::seed{3}, t = 63_c);
  expect_right(hadamard(tokens, column) + tokens, "beside a tensor that has it");
  auto const rows = attend::normal<float>(attend::seed{4}, h = 7_c, t = 63_c);
  expect_right(tokens + rows, "beside a tensor that has a part of it");
  expect_right(merge(merge(contract(image, m, c), h, w, t), f, t, s), "merged again");
  auto const [a, z] = evaluate(tokens, softmax(tokens, f));
  expect_within(attend::oracle(tokens), a, "first of two");
  expect_within(attend::oracle(softmax(tokens, f)), z, "second of two");
}

// ---- streaming
struct streaming : testing::Test {
  static constexpr long rows = 3000;
  decltype(attend::normal<float>(s = rows, c = 64_c)) x = attend::normal<float>(attend::seed{1}, s = rows, c = 64_c);
  decltype(matrix(2, c = 64_c, f = 1024_c)) up = matrix(2, c = 64_c, f = 1024_c);
  decltype(matrix(3, f = 1024_c, c = 64_c)) down = matrix(3, f = 1024_c, c = 64_c);
};

TEST_F(streaming, hidden_features_of_a_perceptron) {
  auto const expr = gelu(x * up) * down + x;
  using plan = attend::plan_of<decltype(expr)>;
  static_assert(plan::blocks(s = 1000) == 1);
  static_assert(plan::blocks(s = rows) == 3, "4 MiB of hidden features are 1024 rows");
  static_assert(plan::workspace(s = rows) == 1024 * 4096);
  static_assert(plan::workspace(s = 100 * rows) == 1024 * 4096, "does not grow");
  EXPECT_NE(explain(expr).find("in 3 blocks of 1024 along s"), std::string::npos) << explain(expr);
  auto const all = evaluate(expr);
  for (long const begin : {0l, 1020l, 2040l, rows - 8}) { // on both sides of a block's end
    auto const some = evaluate(slice(x, s, begin, begin + 8));
    expect_within(attend::oracle(gelu(some * up) * down + some), evaluate(slice(all, s, begin, begin + 8)), "rows from " + std::to_string(begin));
  }
}

TEST_F(streaming, what_has_not_the_dim_is_computed_once) {
  auto const keys = attend::normal<float>(attend::seed{4}, t = 50_c, c = 64_c);
  auto const k = exp(keys) * up; // (t, f)
  auto const expr = softmax(x * up * transpose(k) / 100) * keys;
  EXPECT_NE(explain(as_written(expr)).find("blocks of"), std::string::npos) << explain(as_written(expr));
  auto const all = evaluate(as_written(expr));
  auto const some = evaluate(slice(x, s, rows - 5, rows));
  expect_within(attend::oracle(softmax(some * up * transpose(k) / 100) * keys), evaluate(slice(all, s, rows - 5, rows)), "last rows");
}

TEST_F(streaming, several_results_and_a_result_that_is_an_operand) {
  auto const hidden = relu(x * up);
  auto const expr = hidden * down;
  auto expected = evaluate(expr);
  auto const [o, m] = evaluate(expr, max(hidden, f));
  EXPECT_TRUE(std::equal(o.begin(), o.end(), expected.begin()));
  auto const best = evaluate(max(hidden, f));
  EXPECT_TRUE(std::equal(m.begin(), m.end(), best.begin()));
  auto y = evaluate(x * 1);
  evaluate(attend::into(y), relu(y * up) * down); // rows of y are read after others have been written
  for (long i = 0; i < y.size(); ++i) ASSERT_NEAR(y.data()[i], expected.data()[i], 1e-4);
}

TEST_F(streaming, not_along_a_dim_that_is_normalised) {
  auto const hidden = x * up;
  for (auto const& text : {explain(hidden - mean(hidden, s)), explain(softmax(hidden, s) * down), explain(hidden / sum(abs(hidden), s))})
    EXPECT_EQ(text.find("along s"), std::string::npos) << text;
  auto const centred = evaluate(hidden - mean(hidden, s));
  auto const left = evaluate(sum(attend::cast<double>(centred), s));
  for (double const l : left) EXPECT_NEAR(l, 0, 1e-3);
}

TEST_F(streaming, positions_count_on) {
  auto const expr = (x * up + index(s)) * down;
  auto const all = evaluate(as_written(expr));
  for (long const at_row : {0l, 1500l, rows - 1}) {
    auto const row = evaluate(slice(x, s, at_row, at_row + 1));
    expect_within(attend::oracle((row * up + at_row) * down), evaluate(slice(all, s, at_row, at_row + 1)), "row " + std::to_string(at_row));
  }
}

TEST_F(streaming, in_the_memory_that_was_promised) {
  auto const expr = gelu(x * up) * down + x;
  auto const bytes = static_cast<std::size_t>(attend::plan_of<decltype(expr)>::workspace(s = rows));
  std::vector<std::byte> memory(bytes + 64);
  auto* const begin = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
  auto out = attend::uninitialized<float>(s = rows, c = 64_c);
  evaluate(attend::on(std::span(begin, bytes)), attend::into(out), expr);
  auto const expected = evaluate(expr);
  EXPECT_TRUE(std::equal(out.begin(), out.end(), expected.begin()));
  try {
    evaluate(attend::on(std::span(begin, bytes - 1)), attend::into(out), expr);
    ADD_FAILURE() << "a byte too few";
  } catch (attend::argument_error const& error) {
    EXPECT_EQ(std::string(error.what()), "evaluate(on(workspace), x) requires a workspace of " + std::to_string(bytes) + " bytes here; there are " + std::to_string(bytes - 1));
  }
  EXPECT_THROW(evaluate(attend::on(std::span(begin + 4, bytes)), attend::into(out), expr), attend::argument_error);
}

// ---- progress
TEST_F(streaming, tells_how_far_it_is) {
  auto const expr = gelu(x * up) * down;
  std::vector<double> fractions;
  auto const out = evaluate(attend::on_progress([&](double f) { fractions.push_back(f); }), expr);
  auto const expected = evaluate(expr);
  EXPECT_TRUE(std::equal(out.begin(), out.end(), expected.begin()));
  ASSERT_GE(fractions.size(), 4u);
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_GT(fractions.front(), 0);
  EXPECT_LT(fractions.front(), 0.5);
  EXPECT_EQ(fractions.back(), 1);
  EXPECT_EQ(std::count(fractions.begin(), fractions.end(), 1.), 1);
  struct stopped {};
  EXPECT_THROW(evaluate(attend::on_progress([](double f) { if (f > 0.5) throw stopped{}; }), expr), stopped);
  fractions.clear();
  auto const [a, z] = evaluate(attend::on_progress([&](double f) { fractions.push_back(f); }), expr, max(relu(x * up), f));
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_EQ(std::count(fractions.begin(), fractions.end(), 1.), 1);
}

} // namespace
