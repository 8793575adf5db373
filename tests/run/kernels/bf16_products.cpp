// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The parts of the fused CPU attention that multiply bf16 by the machine's own instructions: products by pairs and by
// tiles, and rounded weights. Other machines multiply floats, and have nothing here.
#include "cpu_attention.hpp"

#ifdef ATTEND_DETAIL_BF16_PAIRS
namespace {

using namespace attend::kernels;
using namespace attend::kernels::testing_attention;
using attend::bf16;
namespace parts = attend::kernels::cpu::detail;

double first_of(std::uint32_t pair) { return static_cast<double>(__builtin_bit_cast(float, pair << 16)); }
double second_of(std::uint32_t pair) { return static_cast<double>(__builtin_bit_cast(float, pair & 0xFFFF0000u)); }

template <class T>
struct aligned {
  T* data;
  explicit aligned(long n) : data(static_cast<T*>(std::aligned_alloc(64, static_cast<std::size_t>((n * 4 + 63) / 64 * 64)))) { std::memset(static_cast<void*>(data), 0, static_cast<std::size_t>(n) * sizeof(T)); }
  ~aligned() { std::free(data); }
  aligned(aligned const&) = delete;
  aligned& operator=(aligned const&) = delete;
};

// Small whole numbers have exact products, so that any order of summing gives the same.
TEST(bf16_products, are_exact_where_they_can_be) {
  std::mt19937 random(5);
  for (long depth : {32, 64, 96, 256})
    for (long rows : {16, 32, 48, 112}) {
      aligned<bf16> x(rows * depth);
      aligned<std::uint32_t> panel(depth / 2 * panel_rows);
      std::vector<double> a(static_cast<std::size_t>(rows * depth)), b(static_cast<std::size_t>(depth * panel_rows));
      auto const small = [&] { return static_cast<float>(static_cast<int>(random() % 17) - 8); };
      for (long i = 0; i < rows * depth; ++i) x.data[i] = store_number<bf16>(small()), a[static_cast<std::size_t>(i)] = load_number<double>(x.data[i]);
      for (long d = 0; d < depth; d += 2)
        for (long r = 0; r < panel_rows; ++r) {
          float const first = small(), second = small();
          panel.data[d / 2 * panel_rows + r] = __builtin_bit_cast(std::uint32_t, first) >> 16 | __builtin_bit_cast(std::uint32_t, second);
          b[static_cast<std::size_t>(d * panel_rows + r)] = static_cast<double>(first), b[static_cast<std::size_t>((d + 1) * panel_rows + r)] = static_cast<double>(second);
        }
      aligned<float> by_pairs(rows * panel_rows), by_tiles(rows * panel_rows);
      parts::lines_ahead ahead;
      parts::bf16_rows const view{x.data, depth};
      vec largest[tuning.vectors];
      for (vec& m : largest) m = vec(-static_cast<float>(inf));
      parts::pair_scores<tuning.vectors>(panel.data, depth, view, rows, by_pairs.data, largest, ahead);
      aligned<float> by_outputs(rows * panel_rows);
      aligned<bf16> values(rows * depth); // the same numbers: column `row` of value `depth`
      auto const turned = parts::load_pairs_of_values({x.data, 1, depth}, 0, depth, rows, values.data);
      parts::pair_outputs(panel.data, parts::kept_keys(depth), turned, rows, largest, by_outputs.data, true, ahead);
      bool tiles = false;
#ifdef ATTEND_DETAIL_MATRIX_TILES
      if (parts::has_matrix_tiles()) {
        tiles = true;
        parts::tile_session const session;
        long seen = 0;
        for (bool add : {false, true}) // the second time it doubles
          parts::tile_products(panel.data, depth, view, rows, by_tiles.data, add, [&](long first, long n) {
            EXPECT_EQ(first, seen % rows);
            seen += n;
          });
        EXPECT_EQ(seen, 2 * rows);
      }
#endif
      for (long i = 0; i < rows; ++i)
        for (long r = 0; r < panel_rows; ++r) {
          double sum = 0;
          for (long d = 0; d < depth; ++d) sum += a[static_cast<std::size_t>(i * depth + d)] * b[static_cast<std::size_t>(d * panel_rows + r)];
          ASSERT_EQ(static_cast<double>(by_pairs.data[i * panel_rows + r]), sum);
          ASSERT_EQ(static_cast<double>(by_outputs.data[i * panel_rows + r]), sum);
          ASSERT_LE(sum, static_cast<double>(largest[r / lanes][static_cast<int>(r % lanes)]));
          if (tiles) {
            ASSERT_EQ(static_cast<double>(by_tiles.data[i * panel_rows + r]), 2 * sum);
          }
        }
    }
}

TEST(bf16_products, rounded_exponentials) {
  std::mt19937 random(6);
  std::uniform_real_distribution<float> scores_of(-60, 2);
  for (long keys : {1, 2, 7, 32, 63, 64}) {
    aligned<float> scores(64 * panel_rows);
    aligned<std::uint32_t> weights(32 * panel_rows);
    std::fill_n(weights.data, 32 * panel_rows, 0xFFFFFFFFu);
    for (long i = 0; i < keys * panel_rows; ++i) scores.data[i] = random() % 9 == 0 ? -static_cast<float>(inf) : scores_of(random);
    vec m[tuning.vectors], total[tuning.vectors];
    for (vec& x : m) x = vec(-1.25f); // scores may exceed what is taken off
    parts::rounded_exponentials(scores.data, vec(0.5f), parts::kept_keys(keys), m, total, weights.data);
    for (long r = 0; r < panel_rows; ++r) {
      double sum = 0;
      for (long j = 0; j < (keys + 31) / 32 * 32; ++j) {
        std::uint32_t const pair = weights.data[j / 2 * panel_rows + r];
        double const w = j % 2 ? second_of(pair) : first_of(pair);
        double const want = j < keys ? std::exp(0.5 * static_cast<double>(scores.data[j * panel_rows + r]) + 1.25) : 0;
        EXPECT_NEAR(w, want, (0x1p-8 + 1.5e-4) * want) << j;
        sum += want;
      }
      EXPECT_NEAR(static_cast<double>(total[r / lanes][static_cast<int>(r % lanes)]), sum, 1.5e-4 * sum);
    }
  }
}

} // namespace
#endif
