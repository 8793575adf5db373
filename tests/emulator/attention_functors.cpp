// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functors of scores and of weights: masks of every kind, biases, tables, dropout; and rows that keep nothing.
#include "attention_cases.hpp"

namespace attend::emulated {
namespace {

/// A table in global memory, for functors that load.
template <class T>
struct table {
  std::shared_ptr<emulator::global_memory> memory;
  template <class F>
  table(long n, F f) : memory(std::make_shared<emulator::global_memory>("table", static_cast<std::size_t>(n) * sizeof(T))) {
    for (long i = 0; i < n; ++i) {
      if constexpr (half_precision<T>) data()[i] = store_number<T>(static_cast<float>(f(i)));
      else data()[i] = static_cast<T>(f(i));
    }
  }
  T* data() const { return reinterpret_cast<T*>(memory->data()); }
};

constexpr shape shapes[] = {{2, 1, 2, 140, 200, 64, 64}, {1, 2, 1, 70, 33, 64, 64}, {1, 1, 1, 1, 129, 64, 40}};

class attention_functors : public testing::TestWithParam<shape> {
protected:
  shape const n = GetParam();
  std::mt19937 random{7};
  double uniform() { return std::uniform_real_distribution<double>(-2, 2)(random); }

  template <class T, class Empty = empty_row::zeros_t, class Score, class Weighing = argument<0>>
  void run(Score const& f, double spread = 0, Weighing const& weighing = {}) {
    check<Empty, void, only<64>>(inputs<T>(n), f, weighing, no_gain{}, spread);
  }
};
INSTANTIATE_TEST_SUITE_P(shapes, attention_functors, testing::ValuesIn(shapes));

TEST_P(attention_functors, window) { run<bf16>(window(20, 3, score)); }
TEST_P(attention_functors, bottom_right) { run<f16>(bottom_right(n.s, n.t)); }
TEST_P(attention_functors, softcap) { run<f16>(softcap(2), 2); }
TEST_P(attention_functors, alibi_in_a_window) {
  table<float> const slopes(n.g * n.r, [](long i) { return std::exp2(-i - 1); });
  run<bf16>(window(50, 0, alibi(slopes.data(), n.r)), static_cast<double>(n.s + n.t));
}
TEST_P(attention_functors, padding) {
  table<bool> const keep(n.b * n.t, [&](long i) { return i % n.t < (i / n.t * 37 + n.t / 2) % (n.t + 1); });
  run<bf16>(make(op::masked{}, element<bool, 0, 4>{keep.data(), {n.t, 1}}, score));
}
TEST_P(attention_functors, full_mask) {
  table<bool> const keep(n.s * n.t, [&](long) { return random() % 2 == 0; });
  run<f16>(make(op::masked{}, element<bool, 3, 4>{keep.data(), {n.t, 1}}, score));
}
TEST_P(attention_functors, documents) {
  table<std::int64_t> const of_query(n.s, [](long i) { return (1l << 40) + i / 50; });
  table<std::int32_t> const of_key(n.t, [](long i) { return i / 50; });
  auto const shifted = make(op::add{}, element<std::int32_t, 4>{of_key.data(), {1}}, whole_constant{1l << 40});
  run<bf16>(make(op::masked{}, make(op::equal{}, element<std::int64_t, 3>{of_query.data(), {1}}, shifted), score));
}
TEST_P(attention_functors, bias_with_minus_infinity) {
  table<float> const bias(n.s * n.t, [&](long) { return random() % 3 != 0 ? uniform() : -inf; });
  run<bf16>(make(op::add{}, score, element<float, 3, 4>{bias.data(), {n.t, 1}}), 2);
}
TEST_P(attention_functors, padding_by_a_bias) {
  table<bf16> const bias(n.b * n.t, [&](long i) { return i % n.t < n.t / 2 + 1 ? 0 : -inf; });
  run<f16>(make(op::add{}, score, element<bf16, 0, 4>{bias.data(), {n.t, 1}}));
}
TEST_P(attention_functors, finite_fill) { run<bf16>(make(op::where{}, make(op::less_equal{}, key, row), score, constant{-1e9})); }
TEST_P(attention_functors, looked_up) {
  table<std::int32_t> const buckets(n.s, [&](long) { return random() % 5; });
  table<float> const values(5 * n.t, [&](long) { return uniform(); });
  run<f16>(make(op::add{}, score, lookup<float, element<std::int32_t, 3>, 4>{values.data(), {buckets.data(), {1}}, n.t, {1}}), 2);
}
TEST_P(attention_functors, positions_beyond_32_bits) {
  auto const far = make(op::mul{}, make(op::mul{}, row, whole_constant{1l << 40}), key);
  run<bf16>(make(op::masked{}, make(op::less_equal{}, far, whole_constant{50l << 40}), score));
}
TEST_P(attention_functors, dropout) {
  auto const position = make(op::add{}, make(op::mul{}, row, whole_constant{n.t}), key);
  auto const kept = make(op::less_equal{}, whole_constant{1l << 22}, make(op::random{}, position, whole_constant{11}));
  run<bf16>(causal(), 0, make(op::mul{}, constant{4.0 / 3}, make(op::kept{}, score, kept)));
}
TEST_P(attention_functors, rows_that_keep_nothing) {
  auto const late = make(op::masked{}, make(op::less_equal{}, make(op::add{}, key, whole_constant{n.t / 2 + 10}), row), score);
  run<bf16, empty_row::zeros_t>(late);
  run<bf16, empty_row::uniform_t>(late);
  run<bf16, empty_row::nan_t>(late);
  auto const nothing = make(op::masked{}, make(op::less{}, key, whole_constant{0}), score);
  run<f16, empty_row::zeros_t>(nothing);
  run<f16, empty_row::uniform_t>(nothing, 0, make(op::mul{}, constant{0.5}, score));
}

TEST(attention_values, empty_rows_of_no_keys) {
  inputs<bf16> const in({1, 1, 1, 5, 0, 64, 64});
  check<empty_row::uniform_t, void, only<64>>(in, score);
  check<empty_row::nan_t, void, only<64>>(in, score);
}
TEST(attention_values, a_nan_stays_in_its_row) {
  for (long at : {0l, 63l, 64l, 129l}) {
    inputs<f16> in({1, 1, 1, 40, 130, 64, 64});
    in.q(0, 0, 0, 17, 3) = store_number<f16>(std::nanf(""));
    table<float> const bias(40 * 130, [&](long i) { return i == 20 * 130 + at ? nan : 0; });
    check<empty_row::zeros_t, void, only<64>>(in, make(op::add{}, score, element<float, 3, 4>{bias.data(), {130, 1}}));
  }
}
TEST(attention_values, dropped_weights_of_a_row_of_nan) {
  for (long keys : {1l, 70l}) {
    inputs<bf16> in({1, 1, 1, 40, keys, 64, 64});
    for (long i = 0; i < 40; i += 3) in.q(0, 0, 0, i, 3) = store_number<bf16>(std::nanf(""));
    auto const position = make(op::add{}, make(op::mul{}, row, whole_constant{keys}), key);
    auto const kept = make(op::less_equal{}, whole_constant{1l << 23}, make(op::random{}, position, whole_constant{5}));
    check<empty_row::zeros_t, void, only<64>>(in, causal(), make(op::kept{}, score, kept));
    check<empty_row::uniform_t, void, only<64>>(in, causal(), make(op::kept{}, score, kept));
  }
}
TEST(attention_values, infinite_scores_and_values) {
  inputs<bf16> in({1, 1, 1, 40, 130, 64, 64});
  in.v(0, 0, 0, 77, 5) = store_number<bf16>(std::numeric_limits<float>::infinity());
  table<float> const bias(40 * 130, [&](long i) { return i == 20 * 130 + 100 ? inf : i / 130 == 3 ? -inf : 0; });
  check<empty_row::zeros_t, void, only<64>>(in, score);
  in.v(0, 0, 0, 77, 5) = store_number<bf16>(1.0f);
  check<empty_row::zeros_t, void, only<64>>(in, make(op::add{}, score, element<float, 3, 4>{bias.data(), {130, 1}}));
}
TEST(attention_values, huge_and_tiny) {
  for (double spread : {1e-18, 1e-3, 30.0, 1e4}) {
    SCOPED_TRACE(spread);
    check<empty_row::zeros_t, void, only<64>>(inputs<bf16>({1, 1, 1, 70, 200, 64, 64}, {}, {}, {}, spread), score);
    check<empty_row::zeros_t, void, only<64>>(inputs<bf16>({1, 1, 1, 70, 200, 64, 64}, {}, {}, {}, spread), causal());
    check<empty_row::zeros_t, void, only<64>>(inputs<float>({1, 1, 1, 70, 200, 64, 64}, {}, {}, {}, spread), causal());
  }
}
TEST(attention_values, scales) {
  for (double scale : {-0.5, 0.0, 2.0})
    for (double output_scale : {1.0, -3.0}) {
      SCOPED_TRACE(testing::Message() << scale << ' ' << output_scale);
      inputs<bf16> in({1, 1, 2, 70, 140, 64, 64});
      in.scale = scale, in.output_scale = output_scale;
      check<empty_row::zeros_t, void, only<64>>(in, score);
      check<empty_row::zeros_t, void, only<64>>(in, causal());
      check<empty_row::zeros_t, void, only<64>>(in, softcap(2), {}, no_gain{}, 2);
    }
}
TEST(attention_values, gain_of_the_log_sum_exp) {
  inputs<f16> const in({1, 2, 1, 70, 140, 64, 64});
  auto const gain = make(op::mul{}, make(op::sigmoid{}, score), make(op::add{}, row, whole_constant{1}));
  check<empty_row::zeros_t, void, only<64>>(in, causal(), {}, gain);
}

} // namespace
} // namespace attend::emulated
