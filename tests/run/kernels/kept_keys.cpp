// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How the fused CPU attention divides a block of keys for a panel of rows: nothing that a mask keeps is left out, for any
// mask; where it is plain which rows keep which keys, nothing else is computed.
#include "cpu_attention.hpp"

namespace {

using namespace attend::kernels;
using namespace attend::kernels::cpu;
using namespace attend::kernels::testing_attention;
namespace op = attend::op;
namespace parts = attend::kernels::cpu::detail;
using attend::empty_row::zeros_t;

template <class Op, class... X>
apply<Op, X...> make(Op, X... x) {
  return {{{x}...}};
}
// Axes of a functor: row, key.
constexpr argument<0> score{};
constexpr coordinate<0> row{};
constexpr coordinate<1> key{};

auto causal(long offset) { return make(op::masked{}, make(op::less_equal{}, key, make(op::add{}, row, whole_constant{offset})), score); }
auto window(long left, long right) {
  auto const distance = make(op::sub{}, key, row);
  return make(op::masked{}, make(op::both{}, make(op::less_equal{}, whole_constant{-left}, distance), make(op::less_equal{}, distance, whole_constant{right})), score);
}
auto same_number(std::vector<std::int32_t> const& rows, std::vector<std::int32_t> const& keys) {
  return make(op::masked{}, make(op::equal{}, element<std::int32_t, 0>{rows.data(), {1}}, element<std::int32_t, 1>{keys.data(), {1}}), score);
}

/// Divides every block of keys for every panel and looks at each place. Returns how many vectors of rows are computed, one a
/// key.
template <class Score>
long divided(Score const& f, long rows, long keys) {
  constexpr long step = tuning.group, block = tuning.key_block;
  auto const keeps = [&](long i, long j) { return static_cast<double>(value<double>(f, point<2>{{i, j}}, 1.0)) > -inf; };
  long computed = 0;
  for (long first = 0; first < rows; first += panel_rows)
    for (long begin = 0; begin < keys; begin += block) {
      parts::row_range<0> const panel{{}, first, std::min<long>(panel_rows, rows - first)};
      long const end = std::min(begin + block, keys);
      auto const runs = parts::divide<zeros_t, step>(f, panel, begin, end, tile::some);
      auto const run_of = [&](long j) -> parts::key_run const* {
        for (auto const& run : runs)
          if (j >= run.first && j < run.first + run.count) return &run;
        return nullptr;
      };
      long next = runs.empty() ? 0 : runs.first();
      for (auto const& run : runs) {
        EXPECT_EQ(run.first, next); // without gaps
        EXPECT_EQ((run.first - begin) % step, 0);
        EXPECT_GT(run.count, 0);
        EXPECT_EQ(run.kept == tile::none, run.vectors.empty());
        EXPECT_TRUE(run.vectors.empty() || run.vectors.first == 0 || run.vectors.end == tuning.vectors) << "products know no others";
        next = run.first + run.count;
        computed += run.count * (run.vectors.end - run.vectors.first);
      }
      EXPECT_LE(next, end);
      for (long i = first; i < first + panel.count; ++i)
        for (long j = begin; j < end; ++j) {
          auto const* const run = run_of(j);
          long const v = (i - first) / lanes;
          bool const in = run != nullptr && v >= run->vectors.first && v < run->vectors.end;
          if (keeps(i, j)) {
            EXPECT_TRUE(in) << i << ' ' << j;
          } else if (in) {
            EXPECT_NE(run->kept, tile::all) << i << ' ' << j;
          }
        }
    }
  return computed;
}

/// How many vectors of rows keep some of each group of keys: what nothing sound can do without.
template <class Score>
long needed(Score const& f, long rows, long keys) {
  constexpr long step = tuning.group, block = tuning.key_block;
  long count = 0;
  for (long i = 0; i < rows; i += lanes)
    for (long begin = 0; begin < keys; begin += block)
      for (long j = begin; j < std::min(begin + block, keys); j += step) {
        long const end = std::min({j + step, begin + block, keys});
        bool some = false;
        for (long r = i; r < std::min<long>(i + lanes, rows); ++r)
          for (long t = j; t < end; ++t) some = some || static_cast<double>(value<double>(f, point<2>{{r, t}}, 1.0)) > -inf;
        count += some ? end - j : 0;
      }
  return count;
}

TEST(kept_keys, of_a_causal_mask_are_no_more_than_needed) {
  for (long rows : {1, 16, 60, 64, 100, 128, 200})
    for (long keys : {1, 6, 64, 128, 131, 300})
      for (long offset : {0l, keys - rows, -70l, 33l}) {
        SCOPED_TRACE(testing::Message() << rows << " rows, " << keys << " keys, " << offset);
        long const computed = divided(causal(offset), rows, keys), least = needed(causal(offset), rows, keys);
        long const of_last = (rows - 1) % panel_rows / lanes + 1; // vectors that have rows
        if (of_last == tuning.vectors) EXPECT_EQ(computed, least);
        else EXPECT_LE(computed, least + (panel_rows + tuning.group) * (tuning.vectors - of_last)) << "the last ones, or all from the first on";
        EXPECT_GE(computed, least);
      }
}

TEST(kept_keys, windows) {
  for (auto const& [left, right] : {std::pair{0l, 0l}, {5l, 2l}, {100l, 0l}, {64l, 64l}, {500l, -3l}})
    for (long rows : {64, 130, 256}) {
      SCOPED_TRACE(testing::Message() << rows << " rows, window " << left << ' ' << right);
      auto const mask = window(left, right);
      long const computed = divided(mask, rows, 256), least = needed(mask, rows, 256);
      EXPECT_GE(computed, least);
      EXPECT_LE(computed, 2 * least + 4 * 256) << "vectors amid a panel are computed with those before or behind them";
    }
}

TEST(kept_keys, documents_and_random_numbers) {
  std::mt19937 random(3);
  for (int kinds : {1, 2, 9, 1000}) {
    std::vector<std::int32_t> of_row, of_key, sorted;
    for (int i = 0; i < 300; ++i) {
      of_row.push_back(static_cast<int>(random()) % kinds), of_key.push_back(static_cast<int>(random()) % kinds);
      sorted.push_back(i * kinds / 3000);
    }
    divided(same_number(of_row, of_key), 190, 300);
    divided(same_number(sorted, sorted), 300, 300);
    divided(same_number(sorted, of_key), 130, 140);
  }
}

} // namespace
