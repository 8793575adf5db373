// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Evaluation: results into storage of any order, overlapping operands, several results, the guard of a softmax written
// by hand, temporaries that live in their expression, views of foreign memory, explanations.
#include <cmath>
#include <limits>
#include <support/routes.hpp>
#include <thread>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::test::expect_right;
using attend::test::expect_within;

template <class A, class B>
void expect_same(A const& x, B const& y) {
  ASSERT_EQ(x.size(), y.size());
  for (long i = 0; i < x.size(); ++i) ASSERT_EQ(x.data()[i], y.data()[i]) << i;
}

TEST(evaluation, into_any_order_and_strides) {
  auto const q = attend::normal<float>(b = 2, n = 3, s = 5, d = 8);
  auto const k = attend::normal<float>(b = 2, n = 3, t = 7, d = 8);
  auto const expr = softmax(q * transpose(k)) * k;
  auto const plain = evaluate(expr);
  auto permuted = attend::uninitialized<float>(d = 8, s = 5, n = 3, b = 2);
  evaluate(into(permuted), expr);
  std::vector<float> memory(1000, -7.f);
  auto const gaps = attend::view(memory.data(), attend::strides(b = 400, n = 100, s = 17, d = 2), b = 2, n = 3, s = 5, d = 8);
  evaluate(into(gaps), expr);
  long written = 0;
  for (long i = 0; i < 2; ++i)
    for (long h = 0; h < 3; ++h)
      for (long j = 0; j < 5; ++j)
        for (long l = 0; l < 8; ++l, ++written) {
          ASSERT_EQ(permuted(b = i, n = h, s = j, d = l), plain(b = i, n = h, s = j, d = l));
          ASSERT_EQ(gaps(b = i, n = h, s = j, d = l), plain(b = i, n = h, s = j, d = l));
        }
  EXPECT_EQ(std::count(memory.begin(), memory.end(), -7.f), 1000 - written) << "nothing is written beside the view";
}

TEST(evaluation, in_place_and_overlapping) {
  auto x = attend::normal<float>(attend::seed{1}, s = 6, t = 6);
  auto const before = evaluate(x);
  evaluate(into(x), x * 2 + 1);
  for (long i = 0; i < 36; ++i) EXPECT_EQ(x.data()[i], before.data()[i] * 2 + 1);
  // the transpose of itself reads what it has written, unless it is computed aside
  auto y = attend::copy_of(std::span<float const>(before.data(), 36), s = 6, t = 6);
  evaluate(into(y), rename(rename(rename(y, s, d), t, s), d, t));
  for (long i = 0; i < 6; ++i)
    for (long j = 0; j < 6; ++j) EXPECT_EQ(y(s = i, t = j), before(s = j, t = i));
  // a row normalisation reads its row thrice, a product many times
  auto z = attend::copy_of(std::span<float const>(before.data(), 36), s = 6, t = 6);
  auto const weights = evaluate(softmax(before, t));
  evaluate(into(z), softmax(z, t));
  expect_same(z, weights);
  auto const square = evaluate(rename(contract(before, rename(rename(before, t, d), s, t), t), d, t));
  auto u = attend::copy_of(std::span<float const>(before.data(), 36), s = 6, t = 6);
  evaluate(into(u), rename(contract(u, rename(rename(u, t, d), s, t), t), d, t));
  expect_same(u, square);
}

TEST(evaluation, several_results_share_and_agree) {
  auto const q = attend::normal<float>(b = 2, s = 9, d = 16);
  auto const k = attend::normal<float>(b = 2, t = 11, d = 16);
  auto const v = attend::normal<float>(b = 2, t = 11, e = 5);
  auto const weights = softmax(masked(q * transpose(k) / 4, keep(causal(s, t, attend::bottom_right))));
  auto const expr = weights * v;
  auto const [o, w] = evaluate(expr, weights);
  expect_within(attend::oracle(expr), o, "attention");
  expect_within(attend::oracle(weights), w, "weights");
  auto const [l, m, o2] = evaluate(logsumexp(q * transpose(k) / 4), max(q * transpose(k) / 4, t), expr);
  expect_within(attend::oracle(logsumexp(q * transpose(k) / 4)), l, "log-sum-exp");
  expect_within(attend::oracle(max(q * transpose(k) / 4, t)), m, "maximum");
  expect_within(attend::oracle(expr), o2, "attention with others");
  // weights of one type and another tensor are not shared
  auto const other = attend::normal<float>(b = 2, s = 9, d = 16);
  auto const [p, x] = evaluate(expr, softmax(masked(other * transpose(k) / 4, keep(causal(s, t, attend::bottom_right)))));
  expect_within(attend::oracle(expr), p, "attention beside other weights");
  auto o3 = attend::uninitialized<float>(e = 5, b = 2, s = 9);
  auto w3 = attend::uninitialized<float>(t = 11, s = 9, b = 2);
  evaluate(into(o3, w3), expr, weights);
  // another order of dims may be another product with another order of additions
  auto o4 = attend::uninitialized<float>(b = 2, s = 9, e = 5);
  auto w4 = attend::uninitialized<float>(b = 2, s = 9, t = 11);
  evaluate(into(o4), o3);
  evaluate(into(w4), w3);
  expect_within(attend::oracle(expr), o4, "attention, its dims in another order");
  expect_within(attend::oracle(weights), w4, "weights, their dims in another order");
}

TEST(evaluation, the_guard_of_a_softmax_by_hand) {
  auto const q = attend::normal<float>(s = 9, d = 16);
  auto const other = attend::normal<float>(s = 9, d = 16);
  auto const k = attend::normal<float>(t = 11, d = 16);
  auto const x = q * transpose(k) / 4;
  auto const z = other * transpose(k) / 4;
  auto const by_hand = exp(x - max(x, t)) / sum(exp(x - max(x, t)), t) * k;
  auto const wrong = exp(x - max(x, t)) / sum(exp(z - max(z, t)), t) * k; // the same type: another tensor below
  static_assert(std::is_same_v<std::remove_const_t<decltype(by_hand)>, std::remove_const_t<decltype(wrong)>>);
  static_assert(attend::is_fused<decltype(wrong)>);
  expect_right(by_hand, "one tensor");
  expect_right(wrong, "two tensors");
}

TEST(evaluation, equal_types_are_not_equal_tensors) {
  auto const x = attend::normal<float>(s = 6, d = 8);
  auto const y = attend::normal<float>(s = 6, d = 8);
  auto const m = attend::normal<float>(d = 8, e = 8);
  expect_right(softmax(x * m) + softmax(y * m), "two");
  expect_right(softmax(x * m) + softmax(x * m), "one twice");
  EXPECT_NE(explain(softmax(x * m) + softmax(x * m)).find("reads buffer"), std::string::npos);
}

auto made_by_a_function() {
  auto x = attend::full<float>(2, s = 3, d = 4);
  auto y = attend::full<float>(3, s = 3, d = 4);
  return std::move(x) * 2 + std::move(y);
}
// A pass over rows takes sums of one type together if they are of the same operands, and only then.
template <class Few, class Many>
void expect_right_means(Few const& rows, Many const& columns) {
  auto const x = attend::normal<float>(attend::seed{1}, rows, columns), y = attend::normal<float>(attend::seed{2}, rows, columns);
  auto const centred = x - mean(x, t);
  expect_right(hadamard(centred, rsqrt(mean(hadamard(centred, centred), t) + 1e-5))); // one mean, thrice
  expect_right(hadamard(x - mean(x, t), y - mean(y, t)));                             // another tensor
  expect_right(hadamard(x - mean(x * 2, t), x - mean(x * 3, t)));                     // another constant
  expect_right(hadamard(x - mean(x + 1, t), x - mean(x + 2, t)));
  auto const half = columns.size() / 2;
  std::vector<float> other(static_cast<std::size_t>(rows.size() * columns.size()), 0.25f);
  for (std::size_t i = 0; i < other.size(); ++i) other[i] += static_cast<float>(i % 7);
  auto const every = attend::view(other.data(), attend::strides(s = half, t = 1), s = rows.size(), t = half);
  auto const second = attend::view(other.data(), attend::strides(s = half, t = 2), s = rows.size(), t = half); // the same start
  expect_right(attend::hadamard(every - mean(every, t), second - mean(second, t)));
}

TEST(evaluation, equal_sums_are_taken_once) {
  expect_right_means(s = 37, t = 384);
  expect_right_means(s = 300, t = 6);
  expect_right_means(s = 2, t = 70000); // rows shared out between the threads
}

TEST(evaluation, a_temporary_lives_in_its_expression) {
  auto const expr = made_by_a_function();
  auto const copy = expr;
  for (float v : evaluate(copy)) EXPECT_EQ(v, 7.f);
  for (float v : evaluate(attend::ones<float>(s = 2) + attend::ones<float>(s = 2))) EXPECT_EQ(v, 2.f);
}

// What std::mdspan looks like.
struct span2d {
  float* data;
  static constexpr std::size_t rank() { return 2; }
  float* data_handle() const { return data; }
  std::size_t extent(std::size_t i) const { return i == 0 ? 3 : 2; }
  std::size_t stride(std::size_t i) const { return i == 0 ? 4 : 1; }
};
TEST(evaluation, views_of_foreign_memory) {
  float memory[12];
  for (int i = 0; i < 12; ++i) memory[i] = static_cast<float>(i);
  auto const m = attend::view(span2d{memory}, s, d);
  auto const copy = evaluate(m + 0);
  for (long i = 0; i < 3; ++i)
    for (long j = 0; j < 2; ++j) EXPECT_EQ(copy(s = i, d = j), memory[4 * i + j]);
  auto const backwards = attend::view(memory + 11, attend::strides(s = -1), s = 12);
  auto const r = evaluate(backwards + 0);
  for (long i = 0; i < 12; ++i) EXPECT_EQ(r(s = i), memory[11 - i]);
  // q, k and v packed in one buffer, a key cache stored (b, n, d, t)
  auto const packed = attend::normal<float>(b = 2, s = 5, part = 3, n = 2, d = 8);
  expect_right(softmax(at(packed, part, 0) * transpose(at(packed, part, 1))) * at(packed, part, 2), "packed");
  auto const q = attend::normal<float>(b = 2, n = 2, s = 5, d = 8);
  auto const cache = attend::normal<float>(b = 2, n = 2, d = 8, t = 6);
  auto const v = attend::normal<float>(b = 2, n = 2, t = 6, d = 8);
  expect_right(softmax(q * cache) * v, "key cache is a transposed key");
}

TEST(evaluation, storage_order_means_nothing) {
  auto const q = attend::normal<float>(b = 2, n = 3, s = 5, d = 8);
  auto const k = attend::normal<float>(b = 2, n = 3, t = 7, d = 8);
  auto swapped = attend::uninitialized<float>(b = 2, s = 5, n = 3, d = 8);
  evaluate(into(swapped), q + 0);
  auto const one = evaluate(softmax(q * transpose(k)) * k);
  auto other = attend::uninitialized<float>(b = 2, n = 3, s = 5, d = 8);
  evaluate(into(other), softmax(swapped * transpose(k)) * k);
  expect_same(one, other);
}

TEST(evaluation, a_slice_of_normalised_rows_reads_whole_rows) {
  auto const x = attend::normal<float>(s = 8, c = 16);
  auto const centred = x - mean(x, c);
  auto const normalised = hadamard(centred, rsqrt(mean(hadamard(centred, centred), c) + 1e-5));
  expect_right(slice(centred, c, 1, 3), "a reduction");
  expect_right(slice(normalised, c, 0, 4), "of reductions");
  expect_right(slice(slice(normalised, c, 2, 9), s, 1, 5), "both dims");
  expect_right(slice(softmax(x) + max(x, c), c, 5, 7), "beside a softmax");
  expect_right(at(normalised, c, 3), "one position");
}

TEST(evaluation, rows_with_nothing_kept) {
  auto const q = attend::normal<float>(s = 4, d = 8);
  auto const k = attend::normal<float>(t = 6, d = 8);
  auto const v = attend::normal<float>(t = 6, d = 8);
  auto const none = index(t) < index(s) * 100 - 100; // row 0 keeps nothing, row 1 none, others all
  auto const x = masked(q * transpose(k), keep(none));
  for (char const* name : {"fused", "thrust"}) {
    attend::test::route_in_scope const by(name);
    auto const zeros = evaluate(softmax(x) * v);
    auto const uniform = evaluate(softmax(x, attend::empty_row::uniform) * v);
    auto const nan = evaluate(softmax(x, t, attend::empty_row::nan) * v);
    auto const average = evaluate(mean(v, t));
    for (long l = 0; l < 8; ++l) {
      EXPECT_EQ(zeros(s = 0, d = l), 0.f) << name;
      EXPECT_NEAR(uniform(s = 1, d = l), average(d = l), 8 * 0x1p-24) << name;
      EXPECT_TRUE(std::isnan(nan(s = 0, d = l))) << name;
      EXPECT_FALSE(std::isnan(nan(s = 2, d = l))) << name;
    }
  }
  expect_right(softmax(x) * v, "zeros");
  expect_right(softmax(x, attend::empty_row::uniform) * v, "uniform");
  expect_right(softmax(x, attend::empty_row::nan) * v, "nan");
}

TEST(evaluation, infinities_nan_huge_and_tiny_scores) {
  auto q = attend::normal<float>(s = 5, d = 8);
  auto const k = attend::normal<float>(t = 6, d = 8);
  auto const v = attend::normal<float>(t = 6, d = 8);
  for (long l = 0; l < 8; ++l) q(s = 1, d = l) *= 1e18f, q(s = 2, d = l) *= 1e-30f;
  q(s = 3, d = 0) = std::numeric_limits<float>::quiet_NaN();
  expect_right(softmax(q * transpose(k)) * v, "scores");
  auto bias = attend::zeros<float>(s = 5, t = 6);
  for (long j = 0; j < 6; ++j) bias(s = 4, t = j) = j < 3 ? -std::numeric_limits<float>::infinity() : 0.f;
  expect_right(softmax(q * transpose(k) + bias) * v, "minus infinity in the bias is a mask");
}

TEST(evaluation, empty_and_single) {
  auto const q = attend::normal<float>(b = 0, s = 3, d = 8);
  auto const k = attend::normal<float>(b = 0, t = 4, d = 8);
  EXPECT_EQ(evaluate(softmax(q * transpose(k)) * k).size(), 0);
  auto const one = attend::normal<float>(s = 1, d = 1);
  auto const key = attend::normal<float>(t = 1, d = 1);
  expect_right(softmax(one * transpose(key)) * key, "one of everything");
  auto const rows = attend::normal<float>(s = 3, d = 8);
  auto const no_keys = attend::normal<float>(t = 0, d = 8);
  for (float x : evaluate(softmax(rows * transpose(no_keys)) * no_keys)) EXPECT_EQ(x, 0.f);
  auto const deep = attend::normal<float>(s = 3, d = 0);
  auto const deep_keys = attend::normal<float>(t = 4, d = 0);
  auto const v = attend::normal<float>(t = 4, e = 2);
  expect_right(softmax(deep * transpose(deep_keys)) * v, "no depth: uniform weights");
}

TEST(evaluation, whole_numbers_stay_exact) {
  long const big = (1l << 53) + 1;
  auto const x = attend::values<std::int64_t>({big, big + 2, -big}, s = 3);
  auto const y = evaluate(x + 1);
  static_assert(std::is_same_v<decltype(y)::value_type, std::int64_t>);
  EXPECT_EQ(y.data()[0], big + 1);
  EXPECT_EQ(evaluate(sum(x, s)).data()[0], big + 2);
  EXPECT_EQ(evaluate(max(x, s)).data()[0], big + 2);
  auto const same = evaluate(x == big);
  EXPECT_TRUE(same.data()[0]);
  EXPECT_FALSE(same.data()[1]);
  // positions beyond what a float counts
  auto const s24 = attend::values<std::int64_t>({1l << 24, (1l << 24) + 1}, s = 2);
  auto const after = evaluate(s24 <= (1l << 24));
  EXPECT_TRUE(after.data()[0]);
  EXPECT_FALSE(after.data()[1]);
}

TEST(evaluation, from_several_threads_at_once) {
  auto const q = attend::normal<float>(b = 4, s = 33, d = 16);
  auto const k = attend::normal<float>(b = 4, t = 35, d = 16);
  auto const m = attend::normal<float>(d = 16, e = 16);
  auto const expr = softmax((q * m) * transpose(k * m)) * k;
  auto const expected = evaluate(expr);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) {
        auto const out = evaluate(expr);
        wrong[static_cast<std::size_t>(i)] += !std::equal(out.begin(), out.end(), expected.begin());
      }
      attend::release_workspace();
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(explanation, says_scale_steps_and_reason) {
  auto const q = attend::normal<float>(s = 5, d = 64_c);
  auto const k = attend::normal<float>(t = 7, d = 64_c);
  auto const twice = explain(softmax((q / 8) * transpose(k) / 8) * k); // scaling twice shows
  EXPECT_NE(twice.find("effective scale of the scores 0.015625"), std::string::npos) << twice;
  EXPECT_NE(twice.find("fused attention"), std::string::npos);
  EXPECT_NE(twice.find("fused: yes"), std::string::npos);
  auto const unfused = explain(exp(dropout(softmax(q * transpose(k)), 0.5, 1)) * k);
  EXPECT_NE(unfused.find("fused: no: something stands between the softmax and the product"), std::string::npos) << unfused;
  EXPECT_NE(unfused.find("dropout p = 0.5"), std::string::npos);
  EXPECT_THROW(explain(q + attend::zeros<float>(s = 6)), attend::shape_error);
}

TEST(evaluation, a_summed_dim_may_bear_the_name_of_another) {
  auto const y = attend::normal<float>(attend::seed{1}, s = 3_c, c = 4_c);
  auto const x = attend::normal<float>(attend::seed{2}, s = 3_c, c = 16_c);
  attend::test::expect_right(y - mean(x, c), "free and summed");
  attend::test::expect_right(sum(y, c) - sum(x, c), "two sums");
  attend::test::expect_right(softmax(y, c) * 2 + max(x, c), "softmax and maximum");
  auto const long_y = attend::normal<float>(attend::seed{3}, s = 3, c = 4);
  auto const long_x = attend::normal<float>(attend::seed{4}, s = 3, c = 16);
  try {
    evaluate(long_y - mean(long_x, c));
    ADD_FAILURE() << "of one length as far as the compiler knows";
  } catch (attend::shape_error const& error) {
    EXPECT_NE(std::string(error.what()).find("dimension 'c'"), std::string::npos) << error.what();
  }
}

} // namespace
