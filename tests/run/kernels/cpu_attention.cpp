// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The fused CPU attention against a plain f64 one, within what its arithmetic allows: element types, shapes, strides,
// score functors and policies for empty rows, and the values no bound speaks of (infinite, NaN, huge).
#include "cpu_attention.hpp"
#include <atomic>
#include <chrono>
#include <tbb/task_arena.h>
#include <thread>

namespace {

using namespace attend::kernels;
using namespace attend::kernels::cpu;
using namespace attend::kernels::testing_attention;
using attend::kernels::testing_attention::nan; // not ::nan
using attend::bf16;
using attend::f16;
namespace op = attend::op;
namespace empty_row = attend::empty_row;

template <class Op, class... X>
apply<Op, X...> make(Op, X... x) {
  return {{{x}...}};
}

// Axes of a functor: b, h, s, t.
constexpr argument<0> score{};
constexpr coordinate<1> h{};
constexpr coordinate<2> s{};
constexpr coordinate<3> t{};

auto causal() { return make(op::masked{}, make(op::less_equal{}, t, s), score); }
auto bottom_right(long rows, long keys) {
  return make(op::masked{}, make(op::less_equal{}, t, make(op::add{}, s, whole_constant{keys - rows})), score);
}
auto window(long left, long right) {
  auto const distance = make(op::sub{}, t, s);
  return make(op::masked{},
              make(op::both{}, make(op::less_equal{}, whole_constant{-left}, distance),
                   make(op::less_equal{}, distance, whole_constant{right})),
              score);
}
auto softcap(double cap) {
  return make(op::mul{}, constant{cap}, make(op::tanh{}, make(op::div{}, score, constant{cap})));
}

/// Side tensors of one shape, for functors that load.
struct sides {
  std::vector<float> slopes, bias, bias_t;
  std::vector<bf16> padding_bias;
  std::unique_ptr<bool[]> keep, keep_all;
  std::vector<std::int64_t> ids_q, ids_k;
  std::vector<std::int32_t> short_ids_q, short_ids_k, buckets;
  std::vector<float> table;
  shape n;

  explicit sides(shape const& n) : n(n) {
    std::mt19937 random(7);
    auto const uniform = [&] { return std::uniform_real_distribution<float>(-2, 2)(random); };
    for (long i = 0; i < n.h; ++i) slopes.push_back(std::exp2(-static_cast<float>(i + 1)));
    for (long i = 0; i < n.h * n.s * n.t; ++i) bias.push_back(random() % 3 ? uniform() : -std::numeric_limits<float>::infinity());
    for (long i = 0; i < n.t * n.s; ++i) bias_t.push_back(uniform());
    for (long i = 0; i < n.b * n.t; ++i) padding_bias.push_back(store_number<bf16>(i % n.t < n.t / 2 + 1 ? 0.0f : -static_cast<float>(inf)));
    keep = std::make_unique<bool[]>(static_cast<std::size_t>(n.b * n.t));
    for (long i = 0; i < n.b * n.t; ++i) keep[i] = i % n.t < (i / n.t * 37 + n.t / 2) % (n.t + 1);
    keep_all = std::make_unique<bool[]>(static_cast<std::size_t>(n.s * n.t));
    for (long i = 0; i < n.s * n.t; ++i) keep_all[i] = random() % 2;
    for (long i = 0; i < n.s; ++i) ids_q.push_back((1l << 40) + i / 50), short_ids_q.push_back(static_cast<int>(i / 11));
    for (long i = 0; i < n.t; ++i) ids_k.push_back((1l << 40) + (i / 50) + (i % 7 == 0 ? 1l << 32 : 0)), short_ids_k.push_back(static_cast<int>(i / 11));
    for (long i = 0; i < n.s; ++i) buckets.push_back(static_cast<int>(random() % 5));
    for (long i = 0; i < 5 * n.t; ++i) table.push_back(uniform());
  }
  auto alibi() const {
    return make(op::add{}, score, make(op::mul{}, element<float, 1>{slopes.data(), {1}}, make(op::sub{}, t, s)));
  }
  auto causal_alibi() const { return make(op::masked{}, make(op::less_equal{}, t, s), alibi()); }
  auto padding() const { return make(op::masked{}, element<bool, 0, 3>{keep.get(), {n.t, 1}}, score); }
  auto full_mask() const { return make(op::masked{}, element<bool, 2, 3>{keep_all.get(), {n.t, 1}}, score); }
  auto full_mask_t() const { return make(op::masked{}, element<bool, 2, 3>{keep_all.get(), {1, n.s}}, score); }
  auto documents() const {
    return make(op::masked{}, make(op::equal{}, element<std::int64_t, 2>{ids_q.data(), {1}}, element<std::int64_t, 3>{ids_k.data(), {1}}), score);
  }
  auto short_documents() const {
    return make(op::masked{}, make(op::equal{}, element<std::int32_t, 2>{short_ids_q.data(), {1}}, element<std::int32_t, 3>{short_ids_k.data(), {1}}), score);
  }
  auto biased() const { return make(op::add{}, score, element<float, 1, 2, 3>{bias.data(), {n.s * n.t, n.t, 1}}); }
  auto biased_t() const { return make(op::add{}, score, element<float, 2, 3>{bias_t.data(), {1, n.s}}); }
  auto padded_by_bias() const { return make(op::add{}, score, element<bf16, 0, 3>{padding_bias.data(), {n.t, 1}}); }
  auto finite_fill() const { return make(op::where{}, make(op::less_equal{}, t, s), score, constant{-1e9}); }
  auto looked_up() const {
    return make(op::add{}, score, lookup<float, element<std::int32_t, 2>, 3>{table.data(), {buckets.data(), {1}}, n.t, {1}});
  }
};

constexpr shape shapes[] = {{1, 1, 1, 1, 1, 1},       {2, 3, 16, 96, 64, 64},  {1, 2, 128, 128, 64, 64}, {1, 2, 17, 5, 7, 3},
                            {2, 1, 1, 131, 64, 32},   {1, 1, 131, 1, 16, 8},   {1, 2, 37, 97, 33, 41},   {1, 1, 193, 200, 8, 130},
                            {3, 2, 5, 13, 1, 2},      {1, 1, 67, 101, 257, 9}, {1, 3, 23, 300, 24, 6}};

template <class T>
class attention_of : public testing::Test {};
using types = testing::Types<float, bf16, f16>;
struct names {
  template <class T>
  static std::string GetName(int) { return attend::type_name<T>(); }
};
TYPED_TEST_SUITE(attention_of, types, names);

TYPED_TEST(attention_of, shapes_and_functors) {
  using T = TypeParam;
  for (auto const& n : shapes) {
    SCOPED_TRACE(testing::Message() << n);
    sides const side(n);
    inputs<T> in(n, layout::plain, layout::plain, layout::plain);
    auto const run = [&](char const* name, auto const& f, double spread = 0) {
      SCOPED_TRACE(name);
      check<empty_row::zeros_t, T>(in, f, spread);
    };
    double const far = static_cast<double>(n.s + n.t);
    run("identity", score);
    run("causal", causal());
    run("bottom right", bottom_right(n.s, n.t));
    run("window", window(20, 3));
    run("alibi", side.alibi(), far);
    run("causal alibi", side.causal_alibi(), far);
    run("softcap", softcap(2.0), 2);
    run("padding", side.padding());
    run("full mask", side.full_mask());
    run("full mask, transposed", side.full_mask_t());
    run("documents", side.documents());
    run("documents of 32 bits", side.short_documents());
    run("bias with -inf", side.biased(), 2);
    run("bias, transposed", side.biased_t(), 2);
    run("padding by bias", side.padded_by_bias());
    run("finite fill", side.finite_fill());
    run("looked up", side.looked_up(), 2);
  }
}

TYPED_TEST(attention_of, strides) {
  using T = TypeParam;
  for (auto const& n : {shape{2, 3, 37, 101, 20, 12}, shape{1, 2, 5, 9, 64, 64}})
    for (layout lq : layouts)
      for (layout lkv : layouts)
        for (layout lo : {layout::plain, layout::heads_in_the_middle, layout::columns_first, layout::backwards, layout::sparse}) {
          if (lo != layout::plain && lq != lkv) continue;
          SCOPED_TRACE(testing::Message() << n << ' ' << static_cast<int>(lq) << static_cast<int>(lkv) << static_cast<int>(lo));
          inputs<T> in(n, lq, lkv, lkv == layout::one_for_all_heads ? layout::one_row : lkv);
          check<empty_row::zeros_t, T>(in, causal(), 0, lo);
        }
}

// Panels of different heads in one item: tiles are shared, masks and biases of each head are its own.
TYPED_TEST(attention_of, heads_that_share_keys_and_values) {
  using T = TypeParam;
  for (auto const& n : {shape{2, 5, 37, 140, 16, 24}, shape{1, 3, 16, 300, 8, 8}, shape{2, 7, 1, 130, 24, 9}, shape{1, 9, 3, 290, 33, 20},
                        shape{1, 2, 6, 700, 16, 16}}) {
    SCOPED_TRACE(testing::Message() << n);
    sides const side(n);
    inputs<T> in(n, layout::plain, layout::one_for_all_heads, layout::one_for_all_heads);
    double const far = static_cast<double>(n.s + n.t);
    check<empty_row::zeros_t, T>(in, bottom_right(n.s, n.t));
    check<empty_row::zeros_t, T>(in, side.causal_alibi(), far);
    check<empty_row::zeros_t, T>(in, side.biased(), 2);
    check<empty_row::zeros_t, T>(in, make(op::masked{}, make(op::less{}, make(op::mul{}, h, whole_constant{30}), t), score));
    check<empty_row::uniform_t, T>(in, make(op::masked{}, make(op::less{}, t, make(op::mul{}, h, whole_constant{40})), score));
  }
}

TEST(attention, mixed_types_and_scales) {
  shape const n{1, 2, 33, 50, 16, 24};
  inputs<bf16> in(n, layout::plain, layout::columns_first, layout::plain);
  check<empty_row::zeros_t, float>(in, causal());
  in.scale = -0.7, in.output_scale = 0.25;
  check<empty_row::zeros_t, float>(in, causal());
  in.scale = 0, in.output_scale = -3;
  check<empty_row::zeros_t, bf16>(in, score);
  for (double scale : {-0.7, 0.0, 1e-40, 1e-3, 30.0, 1e4}) { // scores from none at all to some 1e5
    SCOPED_TRACE(scale);
    in.scale = scale;
    check<empty_row::zeros_t, bf16>(in, score);
    check<empty_row::zeros_t, bf16>(in, causal());
    check<empty_row::zeros_t, bf16>(in, softcap(2.0), 2);
    check<empty_row::zeros_t, bf16>(in, make(op::masked{}, make(op::less{}, constant{0.5}, score), score)); // a mask that asks for the score
  }
}

template <class Empty, class T>
void empty_rows_of() {
  for (auto const& n : {shape{1, 2, 130, 40, 16, 24}, shape{1, 1, 20, 200, 8, 5}}) {
    sides const side(n);
    inputs<T> in(n, layout::plain, layout::plain, layout::plain);
    in.output_scale = 1.5;
    check<Empty, T>(in, bottom_right(n.s, n.t));             // the first rows keep nothing when rows > keys
    check<Empty, T>(in, make(op::masked{}, make(op::less{}, t, make(op::sub{}, s, whole_constant{7})), score));
    check<Empty, T>(in, make(op::masked{}, make(op::less{}, t, whole_constant{0}), score)); // nothing at all
    check<Empty, T>(in, make(op::add{}, score, constant{-inf}));
    check<Empty, bf16>(in, make(op::masked{}, make(op::no{}, element<bool, 2>{side.keep_all.get(), {1}}), score));
  }
  // No keys: a sum over nothing is zero, whatever a row with nothing kept gives.
  inputs<T> none({2, 1, 19, 0, 4, 6}, layout::plain, layout::plain, layout::plain);
  auto out = fused<Empty, T>(none, causal());
  for (long i = 0; i < 19; ++i)
    for (long c = 0; c < 6; ++c)
      EXPECT_EQ(out.get(1, 0, i, c), 0.0);
}
template <class Empty>
void empty_rows() {
  empty_rows_of<Empty, float>();
  empty_rows_of<Empty, bf16>();
}
TEST(attention, empty_rows_are_zeros) { empty_rows<empty_row::zeros_t>(); }
TEST(attention, empty_rows_are_uniform) { empty_rows<empty_row::uniform_t>(); }
TEST(attention, empty_rows_are_nan) { empty_rows<empty_row::nan_t>(); }

TEST(attention, extents_of_zero) {
  for (auto const& n : {shape{0, 1, 3, 4, 5, 6}, shape{1, 0, 3, 4, 5, 6}, shape{1, 1, 0, 4, 5, 6}, shape{1, 1, 3, 4, 5, 0}}) {
    inputs<float> in(n, layout::plain, layout::plain, layout::plain);
    fused<empty_row::zeros_t, float>(in, causal());
  }
  inputs<float> flat({1, 2, 21, 30, 0, 6}, layout::plain, layout::plain, layout::plain); // every score is 0
  check<empty_row::zeros_t, float>(flat, causal());
  attention<empty_row::zeros_t>(attention_problem<float, float, 0>{{}, 0, 0, 0, 0, {}, {}, {}, {}, 1, 1}, score);
}

TEST(attention, without_batch_axes) {
  inputs<float> in({1, 1, 40, 50, 8, 8}, layout::plain, layout::plain, layout::plain);
  tensor<float> out(layout::plain, 1, 1, 40, 8);
  apply<op::masked, apply<op::less_equal, coordinate<1>, coordinate<0>>, argument<0>> const f{};
  attention<empty_row::zeros_t>(attention_problem<float, float, 0>{{}, 40, 50, 8, 8, {in.q.memory.data(), {}, 8, 1},
                                                                   {in.k.memory.data(), {}, 8, 1}, {in.v.memory.data(), {}, 8, 1},
                                                                   {out.memory.data(), {}, 8, 1}, in.scale, 1}, f);
  compare(out, oracle<empty_row::zeros_t, float>(in, causal()), in.n);
}

TYPED_TEST(attention_of, a_nan_stays_in_its_row) {
  using T = TypeParam;
  shape const n{1, 1, 40, 230, 8, 9};
  for (long where : {0l, 95l, 96l, 229l})
    for (bool first_block_masked : {false, true}) {
      inputs<T> in(n, layout::plain, layout::plain, layout::plain);
      std::vector<float> bias(static_cast<std::size_t>(n.s * n.t), 0.0f);
      for (long j = 0; first_block_masked && j < n.t; ++j) bias[static_cast<std::size_t>(17 * n.t + j)] = -static_cast<float>(inf);
      auto const f = make(op::add{}, score, element<float, 2, 3>{bias.data(), {n.t, 1}});
      auto clean = oracle<empty_row::zeros_t, T>(in, f);
      bias[static_cast<std::size_t>(17 * n.t + where)] = static_cast<float>(nan);
      for (long c = 0; c < n.e; ++c) clean.out[static_cast<std::size_t>(17 * n.e + c)] = nan;
      auto got = fused<empty_row::zeros_t, T>(in, f);
      compare(got, clean, n);
    }
  inputs<T> in(n, layout::plain, layout::plain, layout::plain);
  auto want = oracle<empty_row::zeros_t, T>(in, score);
  in.q(0, 0, 3, 2) = store_number<T>(static_cast<float>(nan));
  for (long c = 0; c < n.e; ++c) want.out[static_cast<std::size_t>(3 * n.e + c)] = nan;
  auto got = fused<empty_row::zeros_t, T>(in, score);
  compare(got, want, n);
}

// Scores of 1e30 and more: the largest key wins alone, ties share; an infinite one has no softmax.
template <class T>
void huge_tiny_and_infinite_scores() {
  constexpr bool exact = std::is_same_v<T, float>;
  constexpr double unit = exact ? 0x1p-24 : 0x1p-8, stored = exact ? 0 : unit;
  auto const number = [](double x) { return store_number<T>(static_cast<float>(x)); };
  shape const n{1, 1, 20, 150, 1, 2};
  inputs<T> in(n, layout::plain, layout::plain, layout::plain);
  in.scale = 1;
  for (long i = 0; i < n.s; ++i) in.q(0, 0, i, 0) = number(1e15);
  for (long j = 0; j < n.t; ++j) in.k(0, 0, j, 0) = number(j == 77 || j == 140 ? 1e15 : -1e20 + static_cast<double>(j) * 1e14);
  for (auto* f : {"score", "causal"}) {
    auto got = *f == 's' ? fused<empty_row::zeros_t, T>(in, score)
                         : fused<empty_row::zeros_t, T>(in, bottom_right(n.s, n.t));
    for (long c = 0; c < 2; ++c) {
      double const both = (in.v.get(0, 0, 77, c) + in.v.get(0, 0, 140, c)) / 2;
      EXPECT_NEAR(got.get(0, 0, 19, c), both, 4 * unit * (std::abs(both) + 1));
    }
  }
  for (long j = 0; j < n.t; ++j) in.k(0, 0, j, 0) = number(1e-40); // scores of 1e-25 and of denormal factors: all equal
  auto even = fused<empty_row::zeros_t, T>(in, score);
  double mean = 0;
  for (long j = 0; j < n.t; ++j) mean += in.v.get(0, 0, j, 0) / n.t;
  EXPECT_NEAR(even.get(0, 0, 5, 0), mean, (n.t + 8) * 0x1p-24 + stored);
  in.k(0, 0, 9, 0) = number(inf);
  auto infinite = fused<empty_row::zeros_t, T>(in, score);
  EXPECT_TRUE(std::isnan(infinite.get(0, 0, 4, 1)));
  in.k(0, 0, 9, 0) = number(-inf); // one key no query keeps
  auto without = fused<empty_row::zeros_t, T>(in, score);
  EXPECT_NEAR(without.get(0, 0, 5, 0), (mean * n.t - in.v.get(0, 0, 9, 0)) / (n.t - 1), (n.t + 8) * 0x1p-24 + stored);
}
TEST(attention, huge_tiny_and_infinite_scores) {
  huge_tiny_and_infinite_scores<float>();
  huge_tiny_and_infinite_scores<bf16>();
}

// Ones beside 2^24 are lost one by one, unless they are added up first: here the second half of them.
TEST(attention, keys_are_summed_in_chains) {
  inputs<float> in({1, 1, 64, 128, 16, 8}, layout::one_row, layout::plain, layout::plain, 0);
  for (long j = 0; j < in.n.t; ++j)
    for (long c = 0; c < in.n.e; ++c) in.v(0, 0, j, c) = j == 0 ? 0x1p24f : 1.0f;
  auto out = fused<empty_row::zeros_t, float>(in, score);
  for (long c = 0; c < in.n.e; ++c) EXPECT_NEAR(out.get(0, 0, 5, c) * 128, 0x1p24 + 127, 65) << c;
}

// Few keys: their weights lie one row behind another, shorter than a vector or not, or one key behind another, and nothing
// beside them is touched; the same keys answer several heads.
template <class Result>
void weights_of_few_keys(long keys, long rows, long width, bool keys_first) {
  constexpr long heads = 3, depth = 3, gap = 5;
  constexpr double rounded = std::is_same_v<Result, float> ? 0 : 0x1p-8;
  std::mt19937 random(3);
  auto const drawn = [&](long count) {
    std::vector<float> x(static_cast<std::size_t>(count));
    for (float& y : x) y = std::normal_distribution<float>()(random);
    return x;
  };
  auto const untouched = store_number<Result>(-1.0f);
  auto const q = drawn(heads * rows * depth), k = drawn(keys * depth), v = drawn(keys * width);
  long const each = rows * keys + gap, each_out = rows * width + gap;
  std::vector<Result> out(static_cast<std::size_t>(heads * each_out), untouched), w(static_cast<std::size_t>(heads * each), untouched);
  attention_problem<float, Result, 1> const problem{{heads}, rows, keys, depth, width, {q.data(), {rows * depth}, depth, 1},
                                                    {k.data(), {0}, depth, 1}, {v.data(), {0}, width, 1}, {out.data(), {each_out}, width, 1}, 0.5, 1};
  long const row = keys_first ? 1 : keys, column = keys_first ? rows : 1;
  attention<empty_row::zeros_t>(problem, score, score, no_gain{}, attention_results<Result, void, 1>{{w.data(), {each}, row, column}, {}, 2});
  auto const at = [](auto const& x, long i) { return static_cast<double>(x[static_cast<std::size_t>(i)]); };
  auto const worse = [&](std::vector<Result> const& x, long i, double expected) {
    return !(std::abs(load_number<double>(x[static_cast<std::size_t>(i)]) - expected) <= 1e-5 + rounded * std::abs(expected));
  };
  long wrong_outputs = 0, wrong_weights = 0, touched = 0;
  std::vector<double> p(static_cast<std::size_t>(keys));
  for (long i = 0; i < heads * rows; ++i) {
    double sum = 0;
    for (long j = 0; j < keys; ++j) {
      double x = 0;
      for (long d = 0; d < depth; ++d) x += 0.5 * at(q, i * depth + d) * at(k, j * depth + d);
      sum += p[static_cast<std::size_t>(j)] = std::exp(x);
    }
    long const head = i / rows, r = i % rows;
    for (long e = 0; e < width; ++e) {
      double expected = 0;
      for (long j = 0; j < keys; ++j) expected += at(p, j) / sum * at(v, j * width + e);
      wrong_outputs += worse(out, head * each_out + r * width + e, expected);
    }
    for (long j = 0; j < keys; ++j) wrong_weights += worse(w, head * each + r * row + j * column, 2 * at(p, j) / sum);
  }
  for (long head = 0; head < heads; ++head)
    for (long i = 1; i <= gap; ++i)
      touched += load_number<double>(out[static_cast<std::size_t>((head + 1) * each_out - i)]) != -1 || load_number<double>(w[static_cast<std::size_t>((head + 1) * each - i)]) != -1;
  EXPECT_EQ(wrong_outputs + wrong_weights + touched, 0)
      << keys << " keys, " << rows << " rows, width " << width << (keys_first ? ", keys first: " : ": ") << wrong_outputs << " wrong outputs, " << wrong_weights << " wrong weights, " << touched << " touched";
}
TEST(attention, weights_of_few_keys) {
  for (long keys : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 17})
    for (long rows : {1, 7, 8, 15, 16, 17, 31, 40, 75})
      for (bool keys_first : {false, true}) {
        weights_of_few_keys<float>(keys, rows, rows % 9 + 1, keys_first);
        weights_of_few_keys<bf16>(keys, rows, rows % 9 + 1, keys_first);
      }
}
// More than the caches keep are written past them, wherever heads begin.
TEST(attention, weights_past_the_caches) {
  constexpr long rows = 60'001, keys = 7;
  ASSERT_GT(3 * rows * keys * sizeof(float), attend::kernels::cpu::tuning.bytes_streamed);
  for (bool keys_first : {false, true}) weights_of_few_keys<float>(keys, rows, 2, keys_first);
}

// What TBB does with the items of one call, by hand: every item touches its own rows only.
TEST(attention, items_are_independent) {
  shape const n{2, 2, 150, 230, 24, 20};
  inputs<bf16> in(n, layout::plain, layout::columns_first, layout::plain);
  tensor<bf16> out(layout::heads_in_the_middle, n.b, n.h, n.s, n.e);
  attention_problem<bf16, bf16, 2> const problem{{n.b, n.h}, n.s, n.t, n.d, n.e, in.q.view<bf16 const>(),
                                                 in.k.view<bf16 const>(), in.v.view<bf16 const>(), out.view<bf16>(), in.scale, 1};
  auto const f = causal();
  attend::kernels::argument<0> const plain;
  no_gain const gain;
  attention_results<void, void, 2> const also{};
  using call = attend::kernels::cpu::detail::attention_call<empty_row::zeros_t, bf16, bf16, 2, std::remove_const_t<decltype(f)>, attend::kernels::argument<0>, no_gain, void, void>;
  call const c{problem, f, plain, gain, also};
  key_batch<2> const keys_of(problem);
  long const panels = (n.s + panel_rows - 1) / panel_rows;
  std::vector<std::thread> threads;
  for (long worker = 0; worker < 3; ++worker)
    threads.emplace_back([&, worker] {
      for (long i = worker; i < n.b * n.h * panels; i += 3) {
        long const batch[] = {i / panels / n.h, i / panels % n.h};
        attend::kernels::cpu::detail::attending<call>{c, keys_of, batch}(i % panels, 1, nullptr);
      }
    });
  for (auto& thread : threads) thread.join();
  compare(out, oracle<empty_row::zeros_t, bf16>(in, f), n);
}

TEST(attention, from_several_threads_at_once) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([i] {
      shape const n{2, 2, 40 + i * 17, 70, 16 << (i % 2), 24};
      inputs<float> in(n, layout::plain, layout::plain, layout::plain);
      for (int k = 0; k < 3; ++k) check<empty_row::zeros_t, float>(in, causal());
    });
  for (auto& thread : threads) thread.join();
}

/// A weighing that leaves weights as they are and calls a function first.
struct pausing {
  std::function<void()> const* pause;
};
template <class N, class At>
N value(pausing const& f, At const&, N const& weight) {
  (*f.pause)();
  return weight;
}

// The caller, waiting for the other thread's part of its keys, is handed a second problem of the same kind.
TEST(attention, few_rows_while_another_problem_arrives) {
  constexpr shape n{1, 1, 2, 4000, 16, 8};
  constexpr layout plain = layout::plain;
  inputs<float> in(n, plain, plain, plain), other({1, 1, 2, 5000, 16, 24}, plain, plain, plain);
  tensor<float> out(plain, 1, 1, n.s, n.e);
  attention_problem<float, float, 2> const problem{{1, 1}, n.s, n.t, n.d, n.e, in.q.view<float const>(),
                                                   in.k.view<float const>(), in.v.view<float const>(), out.view<float>(), in.scale, 1};
  auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(1); // there may be no second thread
  auto const wait_for = [&](std::atomic<bool> const& flag) {
    while (!flag && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  };
  std::atomic<bool> shared = false, done = false;
  tbb::task_arena arena(2);
  arena.execute([&] {
    std::function<void()> const pause = [&, caller = std::this_thread::get_id()] {
      if (std::this_thread::get_id() == caller) return wait_for(shared);
      if (shared.exchange(true)) return;
      arena.enqueue([&] {
        fused<empty_row::zeros_t, float>(other, score);
        done = true;
      });
      wait_for(done);
    };
    attention<empty_row::zeros_t>(problem, score, pausing{&pause});
  });
  compare(out, oracle<empty_row::zeros_t, float>(in, score), n);
  while (shared && !done) std::this_thread::yield(); // it reads what ends here
}

} // namespace
