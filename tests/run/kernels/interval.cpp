// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Intervals against brute force: no operation may leave its bounds, no tile may be called empty or full that is not,
// and the usual masks must be told exactly.
#include <attend/kernels/classify.hpp>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace {

using namespace attend::kernels;
using attend::bf16;
namespace op = attend::op;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

template <class Op, class... X>
apply<Op, X...> make(Op, X... x) {
  return {{{x}...}};
}

TEST(interval, whole_numbers) {
  using w = whole_interval;
  long const big = 1l << 24, huge = std::numeric_limits<long>::max();
  EXPECT_TRUE((w(big) < w(big + 1)).surely()); // one f32 for both
  EXPECT_TRUE((w(huge) == w(huge)).surely());
  EXPECT_TRUE((w(huge) == w(huge - 1)).never());
  EXPECT_TRUE((w(1, 5) <= w(5, 9)).surely() && (w(1, 5) < w(5, 9)).can_be_false && (w(6, 7) < w(1, 6)).never());
  EXPECT_EQ((w(huge) + w(1)).lo, std::numeric_limits<long>::min()); // overflow: anything
  EXPECT_EQ((w(1l << 40) * w(1l << 40)).hi, huge);
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    auto const draw = [&] { return static_cast<long>(random() % 41) - 20; };
    auto const range = [&] { long const a = draw(), b = draw(); return w(std::min(a, b), std::max(a, b)); };
    w const x = range(), y = range();
    long const a = x.lo + static_cast<long>(random() % (x.hi - x.lo + 1)), b = y.lo + static_cast<long>(random() % (y.hi - y.lo + 1));
    auto const holds = [](w r, long v) { return r.lo <= v && v <= r.hi; };
    ASSERT_TRUE(holds(x + y, a + b) && holds(x - y, a - b) && holds(x * y, a * b) && holds(max(x, y), std::max(a, b)) && holds(min(x, y), std::min(a, b)));
    auto const may = [](truth t, bool v) { return v ? t.can_be_true : t.can_be_false; };
    ASSERT_TRUE(may(x < y, a < b) && may(x <= y, a <= b) && may(x == y, a == b) && may(x != y, a != b));
  }
}

/// Whether an interval allows a result.
bool allows(interval const& x, double v) { return std::isnan(v) ? x.nan : x.lo <= v && v <= x.hi; }

// Every operation on random intervals, at points of them, in f32: the result must be inside.
TEST(interval, operations_are_sound) {
  std::mt19937 random(2);
  double const special[] = {0, -0.0, 1, -1, 0.5, 2, 3.4e38, -3.4e38, inf, -inf, 1e-38, -1e-40, 88.7, -87, 1e-20, 1e20, 4, 100.5};
  auto const draw = [&] {
    if (random() % 3 == 0) return static_cast<double>(static_cast<float>(special[random() % std::size(special)]));
    return static_cast<double>(std::uniform_real_distribution<float>(-3, 3)(random));
  };
  for (int i = 0; i < 200000; ++i) {
    auto const range = [&](float& at) {
      double a = draw(), b = random() % 4 ? draw() : 0;
      if (b == 0) b = a;
      if (a > b) std::swap(a, b);
      bool const no = random() % 8 == 0;
      double const t = std::uniform_real_distribution<double>(0, 1)(random);
      at = static_cast<float>(std::isinf(a) || std::isinf(b) ? (random() % 2 ? a : b) : a + t * (b - a));
      at = static_cast<float>(std::min(std::max(static_cast<double>(at), a), b));
      if (no && random() % 2) at = static_cast<float>(nan);
      return interval{a, b, no, true};
    };
    float a, b;
    interval const x = range(a), y = range(b);
    // The functions of the functors themselves, as every route evaluates them.
    auto const binary = [&](auto operation, char const* name) {
      interval const bounds = detail::compute<interval>(operation, x, y);
      float const v = detail::compute<float>(operation, a, b);
      ASSERT_TRUE(allows(bounds, v)) << name << ' ' << a << ' ' << b << " = " << v << " in " << x.lo << ' ' << x.hi << ' ' << y.lo << ' ' << y.hi << ": " << bounds.lo << ' ' << bounds.hi;
    };
    binary(op::add{}, "+"), binary(op::sub{}, "-"), binary(op::mul{}, "*"), binary(op::div{}, "/");
    binary(op::max{}, "max"), binary(op::min{}, "min"), binary(op::pow{}, "pow");
    auto const unary = [&](auto operation) {
      interval const bounds = detail::compute<interval>(operation, x);
      float const v = detail::compute<float>(operation, a);
      ASSERT_TRUE(allows(bounds, v)) << decltype(operation)::symbol << ' ' << a << " = " << v << " in " << x.lo << ' ' << x.hi << ": " << bounds.lo << ' ' << bounds.hi;
    };
    unary(op::neg{}), unary(op::abs{}), unary(op::exp{}), unary(op::log{}), unary(op::sqrt{}), unary(op::rsqrt{});
    unary(op::sin{}), unary(op::cos{}), unary(op::tanh{}), unary(op::erf{}), unary(op::floor{}), unary(op::sigmoid{});
    unary(op::relu{}), unary(op::gelu{}), unary(op::gelu_tanh{}), unary(op::silu{}), unary(op::cast<bf16>{});
    auto const test = [&](auto operation) {
      truth const t = detail::compute<interval>(operation, x, y);
      ASSERT_TRUE(detail::compute<float>(operation, a, b) ? t.can_be_true : t.can_be_false) << decltype(operation)::symbol << ' ' << a << ' ' << b;
    };
    test(op::less{}), test(op::less_equal{}), test(op::equal{}), test(op::not_equal{});
    if (HasFatalFailure()) return;
  }
}

struct tally {
  int none = 0, some = 0, all = 0, loose = 0;

  int boxes() const { return none + some + all; }
};

constexpr long rows = 60, keys = 80;

/// Classifies random boxes of one functor and evaluates every place of them for several scores. An answer is loose where
/// `some` was said of what is none or all.
template <class F>
void judge(F const& f, tally& count, std::mt19937& random) {
  auto const bare = unmasked(f);
  for (int k = 0; k < 60; ++k) {
    auto const range = [&](long n, long& first, long& last) {
      first = random() % n, last = std::min<long>(n - 1, first + random() % (k % 2 ? 24 : 4));
    };
    box<2> at;
    range(rows, at.first[0], at.last[0]), range(keys, at.first[1], at.last[1]);
    tile const answer = classify(f, at);
    bool none = true, same = true;
    for (long s = at.first[0]; s <= at.last[0]; ++s)
      for (long t = at.first[1]; t <= at.last[1]; ++t)
        for (float score : {0.0f, 3.5f, -2.25f, 1e30f, -1e30f}) {
          point<2> const here{{s, t}};
          float const x = static_cast<float>(value<float>(f, here, score));
          double const wide = static_cast<double>(value<double>(f, here, static_cast<double>(score)));
          float const y = static_cast<float>(value<float>(bare, here, score));
          none &= x == -inf && wide == -inf;
          same &= x == y || (std::isnan(x) && std::isnan(y));
        }
    ASSERT_TRUE(answer != tile::none || none) << at.first[0] << ' ' << at.last[0] << ' ' << at.first[1] << ' ' << at.last[1];
    ASSERT_TRUE(answer != tile::all || same) << at.first[0] << ' ' << at.last[0] << ' ' << at.first[1] << ' ' << at.last[1];
    ++(answer == tile::none ? count.none : answer == tile::all ? count.all : count.some);
    count.loose += answer == tile::some && (none || (same && has_mask<F>));
  }
}

constexpr argument<0> score{};
constexpr coordinate<0> s{};
constexpr coordinate<1> t{};

TEST(interval, classification_is_never_unsound_and_seldom_loose) {
  std::mt19937 random(3);
  std::map<std::string, tally> forms;
  std::map<std::string, double> allowed; // share of boxes of which the answer may be loose
  for (int round = 0; round < 12; ++round) {
    long const offset = static_cast<long>(random() % 60) - 30, left = random() % 30, right = random() % 10;
    auto const causal = make(op::less_equal{}, t, make(op::add{}, s, whole_constant{offset}));
    auto const distance = make(op::sub{}, t, s);
    auto const window = make(op::both{}, make(op::less_equal{}, whole_constant{-left}, distance), make(op::less_equal{}, distance, whole_constant{right}));
    auto const lengths = make(op::less{}, t, whole_constant{static_cast<long>(random() % keys)});
    auto const sinks = make(op::less{}, t, whole_constant{3});
    std::vector<std::int64_t> q(rows), k(keys);
    std::vector<std::int32_t> starts(rows), small(keys);
    auto flags = std::make_unique<bool[]>(rows * keys), padding = std::make_unique<bool[]>(keys);
    std::vector<float> bias(rows * keys), slopes(rows), row_bias(keys);
    std::vector<bf16> half(rows * keys);
    long id = (1l << 60) + round;
    for (auto& x : q) x = id += random() % 9 == 0;
    id = (1l << 60) + round;
    for (auto& x : k) x = id += random() % 11 == 0;
    for (auto& x : starts) x = static_cast<int>(random() % 3);
    for (auto& x : small) x = static_cast<int>(random() % 3);
    for (long i = 0; i < rows * keys; ++i) {
      flags[i] = i / 640 % 3 == 1 || (i / 640 % 3 == 2 && random() % 2);
      bias[i] = i / 320 % 3 == 1 ? static_cast<float>(-inf) : static_cast<float>(random() % 9) - 4;
      half[i] = store_number<bf16>(bias[i]);
    }
    for (long i = 0; i < keys; ++i) padding[i] = i < offset + 40, row_bias[i] = padding[i] ? 0.25f : static_cast<float>(-inf);
    for (auto& x : slopes) x = static_cast<float>(random() % 7) / 8;
    element<bool, 0, 1> const flag{flags.get(), {keys, 1}};
    element<bool, 1, 0> const flag_t{flags.get(), {rows, 1}};
    element<bool, 1> const pad{padding.get(), {1}};
    element<std::int64_t, 0> const id_q{q.data(), {1}};
    element<std::int64_t, 1> const id_k{k.data(), {1}};
    element<std::int32_t, 0> const start{starts.data(), {1}};
    element<std::int32_t, 1> const little{small.data(), {1}};
    element<float, 0, 1> const full_bias{bias.data(), {keys, 1}};
    element<bf16, 0, 1> const half_bias{half.data(), {keys, 1}};
    element<float, 1> const key_bias{row_bias.data(), {1}};
    element<float, 0> const slope{slopes.data(), {1}};
    auto const documents = make(op::equal{}, id_q, id_k);
    auto const alibi = make(op::add{}, score, make(op::mul{}, slope, distance));
    auto const softcap = make(op::mul{}, constant{30}, make(op::tanh{}, make(op::div{}, score, constant{30})));
    auto const go = [&](char const* name, auto const& f, double loose) {
      SCOPED_TRACE(name);
      allowed[name] = loose;
      judge(f, forms[name], random);
    };
    auto const masked = [](auto c, auto x) { return make(op::masked{}, c, x); };
    go("causal", masked(causal, score), 0);
    go("window", masked(window, score), 0);
    go("documents", masked(documents, score), 0);
    go("padding", masked(pad, score), 0);
    go("lengths", masked(lengths, score), 0);
    go("flags", masked(flag, score), 0);
    go("flags, transposed", masked(flag_t, score), 0);
    go("not flags", masked(make(op::no{}, flag), alibi), 0);
    go("sinks", masked(make(op::either{}, sinks, causal), score), 0);
    go("causal documents", masked(make(op::both{}, causal, documents), score), 0.02);
    go("masks twice", masked(causal, masked(pad, score)), 0);
    go("alibi", masked(causal, alibi), 0);
    // Where two masks meet, each bound forgets which places the other's came from.
    go("bias after the mask", make(op::add{}, masked(causal, score), full_bias), 0.2);
    go("bias", make(op::add{}, score, full_bias), 0);
    go("bf16 bias", make(op::add{}, score, half_bias), 0);
    go("bias of keys", make(op::add{}, alibi, key_bias), 0);
    go("softcap", masked(causal, softcap), 0);
    go("softcap of masked", make(op::mul{}, constant{30}, make(op::tanh{}, masked(causal, score))), 0);
    go("negated", make(op::neg{}, masked(causal, score)), 0);
    go("scaled", make(op::mul{}, masked(causal, score), constant{0.5}), 0);
    go("scaled by a negative", make(op::mul{}, masked(causal, score), constant{-0.5}), 0);
    go("larger of", make(op::max{}, masked(causal, score), masked(pad, score)), 0.25);
    go("smaller of", make(op::min{}, masked(causal, score), masked(pad, score)), 0);
    go("relu", make(op::relu{}, masked(causal, score)), 0);
    go("where to minus infinity", make(op::where{}, causal, score, constant{-inf}), 0);
    go("where between masks", make(op::where{}, flag, masked(causal, score), masked(pad, score)), 0.02);
    go("finite fill", make(op::where{}, causal, score, constant{-1e9}), 0);
    go("mask in a condition", make(op::where{}, make(op::less{}, masked(causal, score), constant{4}), score, constant{1}), 0);
    go("mask by score", masked(make(op::less{}, score, constant{1}), score), 0);
    go("mask through a whole number", make(op::add{}, score, make(op::cast<std::int32_t>{}, make(op::sigmoid{}, masked(causal, score)))), 0);
    go("mask by bias", masked(make(op::less{}, constant{-3}, key_bias), score), 0);
    go("mask by float position", masked(make(op::less{}, make(op::mul{}, t, constant{0.3}), make(op::exp{}, make(op::mul{}, s, constant{0.05}))), score), 0);
    go("dilated", masked(make(op::equal{}, make(op::sub{}, make(op::floor{}, make(op::div{}, distance, whole_constant{2})), make(op::div{}, distance, whole_constant{2})), constant{0}), score), 0.02);
    go("random", masked(make(op::less{}, make(op::random{}, make(op::add{}, make(op::mul{}, s, whole_constant{keys}), t), whole_constant{round}), whole_constant{1 << 23}), score), 0.1);
    go("looked up", masked(make(op::equal{}, lookup<std::int32_t, element<std::int32_t, 1>>{starts.data(), little, 1, {0}}, start), score), 0.07);
    if (HasFatalFailure()) return;
  }
  tally all;
  for (auto const& [name, count] : forms) {
    EXPECT_LE(count.loose, allowed[name] * count.boxes()) << name;
    all.none += count.none, all.all += count.all;
    RecordProperty(name, std::to_string(count.loose) + " of " + std::to_string(count.boxes()) + " loose");
  }
  EXPECT_GT(all.none, 2000);
  EXPECT_GT(all.all, 2000);
}

TEST(interval, positions_past_what_f32_holds) {
  long const far = 1l << 40;
  auto const causal = make(op::masked{}, make(op::less_equal{}, t, s), score);
  EXPECT_EQ(classify(causal, (box<2>{{far, far}, {far, far}})), tile::all);
  EXPECT_EQ(classify(causal, (box<2>{{far, far + 1}, {far, far + 1}})), tile::none);
  EXPECT_EQ(classify(causal, (box<2>{{far, far}, {far + 1, far + 1}})), tile::some);
  EXPECT_EQ(classify(causal, (box<2>{{far + 1, far}, {far + 9, far + 1}})), tile::all);
}

TEST(interval, masks_come_off_the_values_path_only) {
  auto const causal = make(op::less_equal{}, t, s);
  auto const masked = make(op::masked{}, causal, score);
  static_assert(std::is_same_v<decltype(unmasked(masked)), argument<0>>);
  auto const nested = make(op::add{}, make(op::masked{}, causal, masked), constant{2});
  static_assert(std::is_same_v<decltype(unmasked(nested)), apply<op::add, argument<0>, constant>>);
  auto const condition = make(op::where{}, make(op::less{}, masked, constant{1}), masked, score);
  static_assert(std::is_same_v<decltype(unmasked(condition)),
                               apply<op::where, apply<op::less, std::remove_const_t<decltype(masked)>, constant>, argument<0>, argument<0>>>);
  static_assert(has_mask<decltype(condition)> && !has_mask<decltype(make(op::add{}, score, constant{1}))>);
}

} // namespace
