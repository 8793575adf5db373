// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The SIMD layer against <cmath> in f64 and against the scalar numbers: functions, whole numbers, loads, functors.
#include <attend/kernels/cpu/lane_axis.hpp>
#include <bit>
#include <gtest/gtest.h>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace attend::kernels;
using namespace attend::kernels::cpu;
using attend::bf16;
using attend::f16;
namespace op = attend::op;

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// |got - want| in units in the last place of a float near want; denormal numbers share the least unit.
double ulps(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : 1e30;
  float const nearest = static_cast<float>(want);
  if (std::isinf(nearest)) return got == nearest || std::abs(got) == std::numeric_limits<float>::max() ? 0 : 1e30;
  if (std::isinf(got) || std::isnan(got)) return 1e30;
  int exponent;
  std::frexp(want, &exponent);
  return std::abs(got - want) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

struct function_case {
  char const* name;
  vec (*ours)(vec);
  double (*exact)(double);
  float low, high;
  double bound; // ulps
};

class functions : public testing::TestWithParam<function_case> {};

TEST_P(functions, stay_within_their_bound) {
  auto const& c = GetParam();
  std::vector<float> at{0.0f, -0.0f, 1e-45f, -1e-45f, 1e-40f, -1e-40f, 1.17549435e-38f, 1e-30f, -1e-30f, 1e-10f,
                        1.0f, -1.0f, inf, -inf, nan, 3.4028235e38f, -3.4028235e38f, 1e30f, -1e30f, 88.7f, -87.4f,
                        -103.9f, 128.0f, -149.0f, 0.625f, 0.92f, 4.0f};
  int const steps = 200000;
  for (int i = 0; i <= steps; ++i) at.push_back(c.low + (c.high - c.low) * static_cast<float>(i) / steps);
  std::mt19937 random(1);
  for (int i = 0; i < 200000; ++i) at.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
  while (at.size() % lanes) at.push_back(0.5f);
  double worst = 0;
  float worst_at = 0;
  for (std::size_t i = 0; i < at.size(); i += lanes) {
    vec const y = c.ours(load(at.data() + i));
    for (int j = 0; j < lanes; ++j)
      if (double const e = ulps(y[j], c.exact(static_cast<double>(at[i + j]))); e > worst) worst = e, worst_at = at[i + j];
  }
  EXPECT_LE(worst, c.bound) << c.name << " at " << worst_at;
  RecordProperty("worst_ulps", std::to_string(worst));
}

// Whether the machine rounds a product before it adds to it.
bool const rounds_products = std::string(machine::name) == "portable";

double exact_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double exact_rsqrt(double x) { return 1 / std::sqrt(x); }

INSTANTIATE_TEST_SUITE_P(
    vocabulary, functions,
    testing::Values(function_case{"exp", [](vec x) { return exp(x); }, std::exp, -110, 95, 1.5},
                    function_case{"exp2", [](vec x) { return exp2(x); }, std::exp2, -155, 130, 1.5},
                    function_case{"log", [](vec x) { return log(x); }, std::log, 0, 4, 1.5},
                    function_case{"tanh", [](vec x) { return tanh(x); }, std::tanh, -10, 10, rounds_products ? 7.0 : 5.0},
                    function_case{"erf", [](vec x) { return erf(x); }, std::erf, -5, 5, 2},
                    function_case{"sigmoid", [](vec x) { return sigmoid(x); }, exact_sigmoid, -110, 100, 2.5},
                    function_case{"sqrt", [](vec x) { return sqrt(x); }, std::sqrt, 0, 9, 0.5},
                    function_case{"rsqrt", [](vec x) { return rsqrt(x); }, exact_rsqrt, 0, 9, 1.5},
                    function_case{"floor", [](vec x) { return floor(x); }, std::floor, -9, 9, 0},
                    function_case{"sin", [](vec x) { return sin(x); }, std::sin, -9, 9, 1},
                    function_case{"cos", [](vec x) { return cos(x); }, std::cos, -9, 9, 1}),
    [](auto const& info) { return std::string(info.param.name); });

template <bool Coarse>
float weight(float x) {
  vec y[3] = {vec(0.0f), vec(x), vec(-1.0f)};
  exp_negative<Coarse>(y);
  return y[1][lanes - 1];
}

TEST(simd, softmax_exponential) {
  // The polynomial, two roundings, and the reduction by one constant: x / ln 2 times the error of ln 2 in f32; where
  // products are rounded on their own, that too; where the machine scales by powers of two, x / ln 2 itself is rounded.
  bool const scales = std::string(machine::name).starts_with("avx512");
  double const step = scales ? 0x1p-24 + 1.4e-8 : 2.8e-9 + (rounds_products ? 0x1p-24 : 0);
  for (float x = 0; x > -87.3f; x -= 0.00037f) {
    double const bound = 0x1p-23 - step * x, exact = std::exp(static_cast<double>(x));
    ASSERT_LE(std::abs(weight<false>(x) / exact - 1), 1.1e-7 + bound) << x;
    ASSERT_LE(std::abs(weight<true>(x) / exact - 1), 1.4e-4 + bound) << x;
  }
  EXPECT_EQ(weight<false>(-inf), 0.0f);
  EXPECT_EQ(weight<false>(-1e30f), 0.0f);
  EXPECT_EQ(weight<false>(0.0f), 1.0f);
  EXPECT_TRUE(std::isnan(weight<false>(nan)));
  EXPECT_TRUE(std::isnan(weight<false>(std::bit_cast<float>(0x7FC00001))));
  EXPECT_TRUE(std::isnan(weight<true>(std::bit_cast<float>(0xFFFFFFFF))));
  for (float x : {-87.5f, -88.0f, -88.03f, -90.0f})
    EXPECT_LE(std::abs(weight<false>(x) - std::exp(static_cast<double>(x))), 0x1p-126);
}

TEST(simd, tanh_is_at_most_one) {
  for (float x = 4; x < 12; x += 1e-4f) {
    ASSERT_LE(tanh(vec(x))[0], 1.0f) << x;
    ASSERT_GE(tanh(vec(-x))[0], -1.0f) << x;
  }
}

TEST(simd, pow_max_min) {
  EXPECT_EQ(pow(vec(2.0f), vec(10.0f))[1], 1024.0f);
  for (float a : {1.0f, -2.0f, inf, -inf, nan})
    for (float b : {3.0f, -inf, nan}) {
      bool const either = std::isnan(a) || std::isnan(b);
      EXPECT_EQ(std::isnan(max(vec(a), vec(b))[0]), either);
      EXPECT_EQ(std::isnan(min(vec(a), vec(b))[0]), either);
      if (either) continue;
      EXPECT_EQ(max(vec(a), vec(b))[0], std::max(a, b));
      EXPECT_EQ(min(vec(a), vec(b))[0], std::min(a, b));
    }
}

template <class T>
std::uint16_t bits(T x) {
  return std::bit_cast<std::uint16_t>(x);
}

template <class T>
void round_trip() {
  std::vector<T> stored(lanes);
  for (std::uint32_t start = 0; start < 65536; start += lanes) {
    for (int i = 0; i < lanes; ++i) stored[i] = std::bit_cast<T>(static_cast<std::uint16_t>(start + i));
    vec const x = load(stored.data());
    T back[lanes];
    store(back, x);
    for (int i = 0; i < lanes; ++i) {
      float const want = load_number<float>(stored[i]);
      EXPECT_TRUE(std::isnan(want) ? std::isnan(x[i]) && std::isnan(load_number<float>(back[i]))
                                   : x[i] == want && bits(back[i]) == bits(stored[i]))
          << start + i;
    }
  }
  std::mt19937 random(2);
  for (int k = 0; k < 100000; ++k) {
    float a[lanes];
    for (float& e : a) e = std::bit_cast<float>(static_cast<std::uint32_t>(random()) & (k % 2 ? 0xFFFF8000u : ~0u)); // ties
    T b[lanes];
    store(b, load(a));
    for (int i = 0; i < lanes; ++i)
      EXPECT_TRUE(std::isnan(a[i]) ? std::isnan(load_number<float>(b[i])) : bits(b[i]) == bits(store_number<T>(a[i])))
          << a[i];
  }
}
TEST(simd, bf16_rounds_to_nearest_even) { round_trip<bf16>(); }
TEST(simd, f16_rounds_to_nearest_even) { round_trip<f16>(); }

template <class T>
void ragged() {
  for (int n = 1; n <= lanes; ++n) {
    std::vector<T> from(n), to(lanes + 1, store_number<T>(-1.0f)); // exactly n: the address sanitizer sees any more
    for (int i = 0; i < n; ++i) from[i] = store_number<T>(static_cast<float>(i + 1));
    vec const x = load_lanes(from.data(), 1, n);
    if (n < lanes) store(to.data(), x, n);
    else store(to.data(), x);
    for (int i = 0; i <= lanes; ++i) EXPECT_EQ(load_number<float>(to[i]), i < n ? static_cast<float>(i + 1) : -1.0f);
    vec const backwards = load_lanes(from.data() + n - 1, -1, n), same = load_lanes(from.data(), 0, n);
    for (int i = 0; i < n; ++i) EXPECT_TRUE(backwards[i] == static_cast<float>(n - i) && same[i] == 1.0f);
  }
}
TEST(simd, ragged_loads_and_stores) { ragged<float>(), ragged<bf16>(), ragged<f16>(); }

TEST(simd, loads_of_whole_numbers_and_bools) {
  std::vector<std::int64_t> wide(3 * lanes);
  std::vector<std::int32_t> narrow(3 * lanes);
  std::vector<char> flags(3 * lanes);
  for (int i = 0; i < 3 * lanes; ++i) {
    wide[i] = (1l << 40) * (i - 5) + i;
    narrow[i] = -7 * i;
    flags[i] = i % 3 == 0;
  }
  bool const* const flag = reinterpret_cast<bool const*>(flags.data());
  for (long stride : {0l, 1l, 2l, 3l})
    for (int n = 1; n <= lanes; ++n) {
      auto const a = load_lanes(wide.data(), stride, n);
      auto const b = load_lanes(narrow.data(), stride, n);
      auto const c = load_lanes(flag, stride, n);
      for (int i = 0; i < n; ++i) {
        EXPECT_EQ(a[i], wide[i * stride]);
        EXPECT_EQ(b[i], narrow[i * stride]);
        EXPECT_EQ(c[i], flags[i * stride] != 0);
      }
    }
}

template <int Columns>
void lines_are_rows() {
  vec columns[Columns];
  for (int e = 0; e < Columns; ++e)
    for (int i = 0; i < lanes; ++i) columns[e].raw[i] = static_cast<float>(i * Columns + e);
  [&]<int... Line>(std::integer_sequence<int, Line...>) {
    for (vec const line : {line_of<Line>(columns)...})
      for (int i = 0; i < lanes; ++i) EXPECT_EQ(line[i], static_cast<float>(static_cast<int>(line[0]) + i)) << Columns;
    int number = 0;
    for (vec const line : {line_of<Line>(columns)...}) EXPECT_EQ(line[0], static_cast<float>(lanes * number++)) << Columns;
  }(std::make_integer_sequence<int, Columns>{});
}
TEST(simd, lines_are_rows_of_columns) {
  lines_are_rows<2>();
  lines_are_rows<3>();
  lines_are_rows<5>();
  lines_are_rows<7>();
  lines_are_rows<8>();
}

TEST(simd, transpose_is_a_transpose) {
  vec rows[lanes];
  for (int i = 0; i < lanes; ++i)
    for (int j = 0; j < lanes; ++j) rows[i].raw[j] = static_cast<float>(100 * i + j);
  transpose(rows);
  for (int i = 0; i < lanes; ++i)
    for (int j = 0; j < lanes; ++j) EXPECT_EQ(rows[i][j], static_cast<float>(100 * j + i));
}

TEST(simd, transposed_as_it_is_loaded) {
  long const row = lanes + 3;
  std::vector<float> from(static_cast<std::size_t>(lanes * row));
  std::iota(from.begin(), from.end(), 0.0f);
  vec columns[lanes];
  load_transposed(from.data(), row, columns);
  for (int k = 0; k < lanes; ++k)
    for (int i = 0; i < lanes; ++i) EXPECT_EQ(columns[k][i], static_cast<float>(i * row + k));
  load_transposed(from.data() + (lanes - 1) * row, -row, columns); // rows run backwards
  for (int k = 0; k < lanes; ++k)
    for (int i = 0; i < lanes; ++i) EXPECT_EQ(columns[k][i], static_cast<float>((lanes - 1 - i) * row + k));
}

// Positions beyond what f32 or 32 bits hold must still be compared exactly.
TEST(simd, positions_are_exact) {
  long const bases[] = {0, 1, -1, 5, -3, (1l << 24) - 3, 1l << 24, -(1l << 24), (1l << 31) - 2, 1l << 32, 1l << 40, -(1l << 40)};
  for (long base : bases)
    for (long step : {0l, 1l, -1l, 2l, -3l, 7l, 1l << 33})
      for (long by = -2 * lanes; by <= 2 * lanes; ++by) {
        lane_index const x(base, step);
        long const y = base + by;
        mask const less = x < y, less_equal = x <= y, equal = x == y, greater = y < x, differ = x != y;
        lane_integer const wide = x;
        mask const wide_less = wide < y, wide_equal = wide == lane_integer(y);
        auto const sum = x + y, difference = y - x;
        auto const product = x * 3l;
        auto const square = x * lane_index(by, 1);
        auto const largest = max(x, y), least = min(x, wide);
        vec const number = attend::kernels::number<vec>::from(x);
        for (int i = 0; i < lanes; ++i) {
          long const e = base + step * i;
          ASSERT_EQ(x[i], e);
          ASSERT_EQ(wide[i], e);
          ASSERT_TRUE(less[i] == (e < y) && less_equal[i] == (e <= y) && equal[i] == (e == y) && greater[i] == (y < e) &&
                      differ[i] == (e != y) && wide_less[i] == (e < y) && wide_equal[i] == (e == y))
              << base << ' ' << step << ' ' << y << ' ' << i;
          ASSERT_TRUE(sum[i] == e + y && difference[i] == y - e && product[i] == 3 * e && largest[i] == std::max(e, y) &&
                      least[i] == e);
          if (std::abs(base) < 1l << 24 && std::abs(step) < 8) {
            ASSERT_EQ(square[i], e * (by + i));
          }
          ASSERT_EQ(number[i], static_cast<float>(e));
        }
      }
}

TEST(simd, random_bits_are_those_of_every_machine) {
  for (long base : {0l, 3l, 1l << 33, (1l << 40) + 1})
    for (long step : {0l, 1l, 5l, -1l})
      for (long seed : {0l, 42l, -7l, 1l << 50}) {
        auto const ours = random_bits(lane_index(base, step), seed);
        for (int i = 0; i < lanes; ++i) EXPECT_EQ(ours[i], attend::kernels::random_bits(base + step * i, seed));
      }
}

template <class Op, class... X>
apply<Op, X...> make(Op, X... x) {
  return {{{x}...}};
}

/// Evaluates f in vectors along axis 1 and in single floats and compares, whatever the result's type.
template <class F>
void agree(F const& f, long rows, long columns, double relative = 0) {
  for (long i = 0; i < rows; ++i)
    for (long j = 0; j < columns; j += lanes) {
      int const n = static_cast<int>(std::min<long>(lanes, columns - j));
      auto const ours = value<vec>(f, lane_axis<1, 2>{{i, j}, n});
      for (int l = 0; l < n; ++l) {
        auto const want = value<float>(f, point<2>{{i, j + l}});
        using Ours = std::remove_cvref_t<decltype(ours)>;
        if constexpr (std::is_arithmetic_v<Ours>) EXPECT_EQ(ours, want);
        else if constexpr (std::is_same_v<Ours, vec>) EXPECT_TRUE(ours[l] == want || std::abs(ours[l] - want) <= relative * std::abs(want)) << i << ' ' << j + l << ": " << ours[l] << " for " << want;
        else EXPECT_EQ(ours[l], want) << i << ' ' << j + l;
      }
    }
}

TEST(simd, functors_give_what_single_floats_give) {
  long const rows = 3, columns = 2 * lanes + 3;
  std::vector<float> x(rows * columns), table(10 * columns);
  std::vector<std::int32_t> ids(columns);
  std::vector<std::int64_t> wide(rows * columns);
  std::vector<bf16> half(columns * rows);
  std::vector<char> flags(rows * columns);
  std::mt19937 random(3);
  for (auto& e : x) e = std::uniform_real_distribution<float>(-2, 2)(random);
  for (auto& e : table) e = std::uniform_real_distribution<float>(-2, 2)(random);
  for (auto& e : ids) e = random() % 10;
  for (auto& e : wide) e = (1l << 35) + random() % 3;
  for (auto& e : half) e = store_number<bf16>(std::uniform_real_distribution<float>(-2, 2)(random));
  for (auto& e : flags) e = random() % 2;
  element<float, 0, 1> const a{x.data(), {columns, 1}};
  element<float, 1> const row{x.data(), {1}};
  element<float, 0> const column{x.data(), {columns}};
  element<bf16, 1, 0> const t{half.data(), {rows, 1}};
  element<std::int64_t, 0, 1> const w{wide.data(), {columns, 1}};
  element<std::int32_t, 1> const id{ids.data(), {1}};
  element<bool, 0, 1> const flag{reinterpret_cast<bool const*>(flags.data()), {columns, 1}};
  coordinate<0> const i;
  coordinate<1> const j;
  constant const half_one{0.5};
  whole_constant const two{2};
  agree(a, rows, columns), agree(row, rows, columns), agree(column, rows, columns), agree(t, rows, columns);
  agree(w, rows, columns), agree(id, rows, columns), agree(flag, rows, columns), agree(i, rows, columns), agree(j, rows, columns);
  agree(make(op::add{}, a, t), rows, columns);
  agree(make(op::sub{}, j, i), rows, columns), agree(make(op::mul{}, j, i), rows, columns);
  agree(make(op::mul{}, j, j), rows, columns), agree(make(op::mul{}, j, w), rows, columns);
  agree(make(op::max{}, j, two), rows, columns), agree(make(op::min{}, w, j), rows, columns);
  agree(make(op::less{}, i, j), rows, columns), agree(make(op::less_equal{}, j, id), rows, columns);
  agree(make(op::equal{}, w, w), rows, columns), agree(make(op::not_equal{}, w, id), rows, columns);
  agree(make(op::neg{}, j), rows, columns), agree(make(op::abs{}, make(op::sub{}, i, j)), rows, columns);
  agree(make(op::where{}, flag, j, w), rows, columns), agree(make(op::where{}, flag, flag, make(op::no{}, flag)), rows, columns);
  agree(make(op::where{}, make(op::both{}, flag, make(op::less{}, i, two)), a, t), rows, columns);
  agree(make(op::either{}, flag, a), rows, columns), agree(make(op::equal{}, flag, flag), rows, columns);
  agree(make(op::masked{}, make(op::less_equal{}, i, j), j), rows, columns, 0.0);
  agree(make(op::div{}, make(op::sub{}, j, i), make(op::add{}, j, two)), rows, columns);
  agree(make(op::cast<std::int32_t>{}, make(op::mul{}, a, two)), rows, columns);
  agree(make(op::cast<bf16>{}, a), rows, columns), agree(make(op::cast<f16>{}, a), rows, columns), agree(make(op::cast<bool>{}, id), rows, columns);
  agree(make(op::random{}, make(op::add{}, j, make(op::mul{}, i, whole_constant{columns})), whole_constant{9}), rows, columns);
  agree(make(op::less{}, make(op::random{}, j, whole_constant{9}), whole_constant{1 << 23}), rows, columns);
  double const few = 8 * 0x1p-24; // both sides within a few units
  agree(make(op::exp{}, a), rows, columns, few), agree(make(op::tanh{}, a), rows, columns, few);
  agree(make(op::relu{}, a), rows, columns), agree(make(op::floor{}, a), rows, columns);
  agree(make(op::sigmoid{}, a), rows, columns, few), agree(make(op::erf{}, a), rows, columns, few);
  agree(make(op::silu{}, a), rows, columns, few), agree(make(op::log{}, make(op::abs{}, a)), rows, columns, 64 * few);
  agree(make(op::pow{}, make(op::abs{}, a), half_one), rows, columns, few);
  agree(lookup<float, element<std::int32_t, 1>, 1>{table.data(), id, columns, {1}}, rows, columns);
  agree(lookup<float, element<std::int32_t, 1>>{table.data(), id, 1, {0}}, rows, columns);
  agree(lookup<float, whole_constant, 1>{table.data(), two, columns, {1}}, rows, columns);
}

} // namespace
