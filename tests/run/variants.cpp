// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the fused kernel computes beside a plain softmax - dropout, gates, sinks, no softmax at all - and what it writes
// beside its output: weights and log-sum-exps. Every result against the oracle.
#include "support/routes.hpp"

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::index;
using attend::oracle;
using attend::test::expect_right;
using attend::test::expect_within;

#define EXPECT_FUSED(...) static_assert(attend::is_fused<decltype(__VA_ARGS__)>)

template <class T>
class variants : public ::testing::Test {
protected:
  static auto of(auto... e) { return attend::normal<T>(e...); }
};
using element_types = ::testing::Types<float, attend::bf16, attend::f16>;
TYPED_TEST_SUITE(variants, element_types);

TYPED_TEST(variants, between_softmax_and_values) {
  auto const q = this->of(b = 2, n = 3, s = 70, d = 24);
  auto const k = this->of(b = 2, n = 3, s = 70, d = 24);
  auto const keys = rename(k, s, t);
  auto const v = this->of(b = 2, n = 3, t = 70, e = 9);
  auto const x = q * transpose(keys) / 4;
  auto const gains = attend::normal<float>(b = 2, n = 3, s = 70, t = 70);
  auto const gate = attend::normal<float>(b = 2, n = 3, s = 70);
  auto const z = attend::normal<float>(n = 3);
  auto const causal_weights = softmax(masked(x, keep(causal(s, t, attend::bottom_right))));
  auto const dropped = attend::dropout(causal_weights, 0.3, 7) * v;
  EXPECT_FUSED(dropped);
  expect_right(dropped, "dropout under a mask");
  expect_right(attend::dropout(softmax(x), 0.1, 1) * v, "dropout");
  expect_right(attend::dropout(softmax(x), 0.0, 1) * v, "dropout of nothing");
  expect_right(contract(hadamard(softmax(x), gains), v, t), "a gain for each weight");
  expect_right(contract(hadamard(softmax(x), gate), v, t), "a gate of the rows");
  expect_right(contract(softmax(x) / (abs(gate) + 1), v, t), "rows divided");
  auto const with_sink = softmax(masked(x, keep(causal(s, t))), attend::sink(z)) * v;
  EXPECT_FUSED(with_sink);
  expect_right(with_sink, "a sink");
  expect_right(softmax(masked(x, keep(index(t) + 0 * index(s) < -1)), t, attend::sink(z)) * v, "a sink that takes all");
}

TYPED_TEST(variants, without_softmax) {
  auto const q = this->of(b = 2, s = 70, d = 24);
  auto const k = this->of(b = 2, t = 300, d = 24);
  auto const v = this->of(b = 2, t = 300, e = 9);
  auto const x = q * transpose(k) / 4;
  EXPECT_FUSED(sigmoid(x - 3) * v);
  expect_right(sigmoid(x - 3) * v, "sigmoid");
  expect_right(sigmoid(masked(x, keep(causal(s, t)))) * v, "sigmoid, causal");
  EXPECT_FUSED(where(causal(s, t), x, 0) * v);
  expect_right(where(causal(s, t), x, 0) * v, "linear, causal");
  expect_right(where(window(s, t, 20, 3), x, 0) * v, "linear, a window");
  expect_right(contract(hadamard(x, exp(0.01f * (index(t) - index(s)))), v, t), "linear, decaying");
  expect_right(relu(x) * v, "relu");
}

template <class... E>
void expect_all(std::string const& what, E const&... e) {
  auto const results = evaluate(e...);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (expect_within(oracle(e), std::get<I>(results), what + ", result " + std::to_string(I)), ...);
  }(std::make_index_sequence<sizeof...(E)>{});
}

TYPED_TEST(variants, several_results) {
  auto const q = this->of(b = 2, n = 3, s = 70, d = 24);
  auto const k = this->of(b = 2, n = 3, t = 190, d = 24);
  auto const v = this->of(b = 2, n = 3, t = 190, e = 9);
  auto const x = masked(q * transpose(k) / 4, keep(causal(s, t)));
  auto const weights = softmax(x);
  expect_all("weights", weights * v, weights);
  expect_all("weights first", weights, weights * v);
  expect_all("log-sum-exps", weights * v, logsumexp(x));
  expect_all("both", logsumexp(x), weights * v, weights);
  auto const dropped = attend::dropout(weights, 0.3, 7);
  expect_all("weights after dropout", dropped * v, dropped);
  expect_all("weights before dropout", dropped * v, weights);
  expect_all("a sum of weights, read back", sum(weights, t), weights * v, weights);
  auto const scores = sigmoid(x);
  expect_all("no softmax", scores * v, scores);
}

TEST(several, rows_with_nothing_kept) {
  auto const q = attend::normal<float>(b = 2, s = 70, d = 24);
  auto const k = attend::normal<float>(b = 2, t = 150, d = 24);
  auto const v = attend::normal<float>(b = 2, t = 150, e = 9);
  auto const x = masked(q * transpose(k), keep(index(s) > 60 && index(t) >= 5));
  auto const each = [&](auto policy, std::string const& what) {
    auto const weights = softmax(x, policy);
    expect_all(what, weights * v, weights, logsumexp(x));
    auto const dropped = attend::dropout(weights, 0.5, 3);
    expect_all(what + " and dropout", dropped * v, dropped);
  };
  each(attend::empty_row::zeros, "zeros");
  each(attend::empty_row::uniform, "uniform");
  each(attend::empty_row::nan, "nan");
}

TEST(several, tensors_that_only_share_a_type) {
  auto const q = attend::normal<float>(s = 20, d = 8);
  auto const other = attend::normal<float>(s = 20, d = 8);
  auto const k = attend::normal<float>(t = 30, d = 8);
  auto const v = attend::normal<float>(t = 30, e = 9);
  expect_all("other weights", softmax(q * transpose(k)) * v, softmax(other * transpose(k)));
  expect_all("other log-sum-exps", softmax(q * transpose(k)) * v, logsumexp(other * transpose(k)));
  expect_right(contract(hadamard(softmax(q * transpose(k)), sigmoid(logsumexp(other * transpose(k)))), v, t), "a gain of other scores");
}

TEST(several, below_an_output_layer_and_in_any_order) {
  auto const q = attend::normal<float>(b = 2, n = 3, s = 20, d = 8);
  auto const k = attend::normal<float>(b = 2, n = 3, t = 30, d = 8);
  auto const v = attend::normal<float>(b = 2, n = 3, t = 30, e = 9);
  auto const wo = attend::normal<float>(c = 27, f = 11);
  auto const x = q * transpose(k);
  expect_all("projected", merge(softmax(x) * v, n, e, c) * wo, softmax(x), logsumexp(x));
  auto o = attend::uninitialized<float>(e = 9, s = 20, n = 3, b = 2);
  auto w = attend::uninitialized<float>(t = 30, b = 2, s = 20, n = 3);
  auto l = attend::uninitialized<float>(s = 20, n = 3, b = 2);
  evaluate(attend::into(o, w, l), softmax(x) * v, softmax(x), logsumexp(x));
  auto const ordered = [](auto const& from, auto to) {
    evaluate(attend::into(to), from);
    return to;
  };
  expect_within(oracle(softmax(x) * v), ordered(o, attend::uninitialized<float>(b = 2, n = 3, s = 20, e = 9)), "output");
  expect_within(oracle(softmax(x)), ordered(w, attend::uninitialized<float>(b = 2, n = 3, s = 20, t = 30)), "weights");
  expect_within(oracle(logsumexp(x)), ordered(l, attend::uninitialized<float>(b = 2, n = 3, s = 20)), "log-sum-exps");
}

// The weights and the log-sum-exps are written by the kernel that needs them anyway.
template <class... E>
constexpr auto order_of() {
  return attend::codegen::detail::order<std::tuple<std::remove_cvref_t<decltype(attend::codegen::normal_form(std::declval<E const&>()))>...>,
                                        std::tuple<std::remove_cvref_t<decltype(evaluate(std::declval<E const&>()).view())>...>>{};
}
TEST(several, one_kernel) {
  auto const q = attend::normal<float>(s = 20, d = 8);
  auto const k = attend::normal<float>(t = 30, d = 8);
  auto const v = attend::normal<float>(t = 30, e = 9);
  auto const x = q * transpose(k);
  auto const weights = attend::dropout(softmax(x), 0.5, 1);
  constexpr auto order = order_of<decltype(weights), decltype(weights * v), decltype(logsumexp(x)), decltype(sum(weights, t))>();
  static_assert(order.writer[0] == 1 && order.writer[1] == 1 && order.writer[2] == 1 && order.writer[3] == 3);
  static_assert(order.turn[0] == -1 && order.turn[1] == 0 && order.turn[2] == -1 && order.turn[3] == 1);
}

// Keys in parts, each its own attention, put together by their log-sum-exps: what sharded and split keys need.
TEST(combine, parts_of_the_keys) {
  auto const q = attend::normal<float>(b = 2, s = 33, d = 24);
  auto const k = attend::normal<float>(b = 2, t = 120, d = 24);
  auto const v = attend::normal<float>(b = 2, t = 120, e = 9);
  auto const k_parts = split(k, t, g = 4_c, w);
  auto const v_parts = split(v, t, g = 4_c, w);
  auto const x = q * transpose(k);
  auto const parts = contract(q, k_parts, d);
  auto const [o, l] = evaluate(contract(softmax(parts, w), v_parts, w), logsumexp(parts, w));
  auto whole = attend::uninitialized<float>(b = 2, s = 33, e = 9);
  evaluate(attend::into(whole), attend::combine(o, l, g));
  expect_within(oracle(softmax(x) * v), whole, "output");
  expect_within(oracle(logsumexp(x)), evaluate(logsumexp(l, g)), "log-sum-exps");
}

} // namespace
