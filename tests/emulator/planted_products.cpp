// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of warpgroups: mistakes, and right kernels close to them.
#include "planted_sm90.hpp"
#include <cmath>

namespace attend::emulated {
namespace {

// ---- products ----

KERNEL(multiplies_without_waiting_for_operands) {
  begin();
  load(in, 0), load(in, 1);
  ptx::mbarrier_wait(barrier(1), 0);
  if (thread() >= 128) return;
  operands x;
  begin_product(x);
  ptx::products_wait<0>(x.d);
}
KERNEL(multiplies_without_fence) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
}
KERNEL(multiplies_again_without_fence) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  begin_product(x);
  ptx::products_wait<0>(x.d);
  x.d[0][0] *= 2;
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
}
KERNEL(multiplies_what_is_not_fenced) {
  load_operands(in);
  fill(tile(2));
  ptx::block_barrier();
  if (thread() >= 128) return;
  operands x;
  ptx::products_fence();
  ptx::product_warpgroup<bf16, true>(x.d, x.a, ptx::product_operand(tile(2), tile_bytes), true);
}
KERNEL(multiplies_outside_shared) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, ptx::product_operand(tile(4), tile_bytes), true);
}
KERNEL(multiplies_from_an_unaligned_line) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, ptx::further(x.b, 128), true);
}
KERNEL(multiplies_what_is_no_operand) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, std::uint64_t{tile(0)}, x.b, true);
}
KERNEL(multiplies_other_operands_in_other_lanes) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, ptx::further(x.b, thread() % 2 * 32u), true);
}
KERNEL(never_waits_for_a_product) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  begin_product(x);
  ptx::products_wait<1>(x.d);
}
KERNEL(never_commits_a_product) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_wait<0>(x.d);
}
KERNEL(waits_for_other_sums) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x, y;
  begin_product(x);
  ptx::products_wait<0>(y.d);
}
// The first warpgroup tells a thread that loads that it may, before the product has read the tile.
KERNEL(releases_a_tile_before_the_product_is_over) {
  load_operands(in);
  if (thread() >= 128) {
    if (thread() == 128) ptx::mbarrier_wait(barrier(3), 0);
    return load(in, 1, 128);
  }
  operands x;
  begin_product(x);
  ptx::named_barrier(1, 128);
  if (thread() == 0) ptx::mbarrier_arrive(barrier(3));
  ptx::products_wait<0>(x.d);
  ptx::mbarrier_wait(barrier(1), 1);
}
KERNEL(releases_a_tile_of_other_warps) {
  load_operands(in);
  if (thread() >= 128) {
    if (thread() == 128) ptx::mbarrier_wait(barrier(3), 0);
    return load(in, 1, 128);
  }
  operands x;
  begin_product(x);
  ptx::products_wait<0>(x.d);
  if (thread() == 0) ptx::mbarrier_arrive(barrier(3)); // the other warps' products may be under way
  ptx::mbarrier_wait(barrier(1), 1);
}
KERNEL(changes_registers_that_its_product_reads) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  std::uint32_t a[4] = {};
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, a, x.b, true);
  ptx::products_commit();
  a[2] = 1;
  ptx::products_wait<0>(x.d);
}
// Which rows of a a warp multiplies is not the kernel's to know.
KERNEL(overwrites_its_rows_under_other_warps) {
  load_operands(in);
  ptx::block_barrier();
  if (thread() >= 128) return;
  operands x;
  begin_product(x);
  ptx::products_wait<0>(x.d);
  ptx::store_shared(tile(0) + static_cast<std::uint32_t>(thread()) * 64, 0.0f);
}
KERNEL(overwrites_what_its_product_reads) {
  load_operands(in);
  ptx::block_barrier();
  if (thread() >= 128) return;
  operands x;
  begin_product(x);
  if (thread() < 32) ptx::store_shared(tile(1) + static_cast<std::uint32_t>(thread()) * 4, 0.0f);
  ptx::products_wait<0>(x.d);
}

mistake<kernel> const mistakes[] = {
    {NAMED(multiplies_without_waiting_for_operands), "begins a product that reads shared memory at byte [0-9]+ " TILE_BEFORE_WAIT},
    {NAMED(multiplies_without_fence), "begins a product with no products_fence before it"},
    {NAMED(multiplies_again_without_fence), "begins a product with no products_fence before it"},
    {NAMED(multiplies_what_is_not_fenced),
     "begins a product that reads shared memory at byte [0-9]+, which thread [0-9]+ wrote without a fence for asynchronous reads"},
    {NAMED(multiplies_outside_shared),
     "begins a product that reads shared memory at byte [0-9]+(, where an mbarrier is|, 16 bytes, outside the block's 32832"
     "|, which nothing has written)"},
    {NAMED(multiplies_from_an_unaligned_line), "begins a product whose b begins at byte 8320, not in the first of 8 lines of 128 bytes"},
    {NAMED(multiplies_what_is_no_operand), "begins a product whose a is not made by product_operand"},
    {NAMED(multiplies_other_operands_in_other_lanes), "begins a product whose operands differ between lanes of the warp"},
    {NAMED(never_waits_for_a_product), "begins a product that it never waits for"},
    {NAMED(never_commits_a_product), "begins a product that is in no group when the thread ends"},
    {NAMED(waits_for_other_sums), "begins a product to sums that no wait names"},
    {NAMED(releases_a_tile_before_the_product_is_over), "loads a tile to shared memory at byte [0-9]+" PRODUCT_READS},
    {NAMED(releases_a_tile_of_other_warps),
     "(loads a tile to shared memory at byte [0-9]+" PRODUCT_READS "|begins a product that reads shared memory at byte [0-9]+ " TILE_BEFORE_WAIT ")"},
    {NAMED(changes_registers_that_its_product_reads), "finds that registers which the product begun at " PLACE " reads were changed before the wait"},
    {NAMED(overwrites_its_rows_under_other_warps), "(begins a product that reads shared memory at byte [0-9]+, which thread [0-9]+ wrote|writes shared memory at byte [0-9]+, which a product of warp [0-9]+ reads)"},
    {NAMED(overwrites_what_its_product_reads),
     "writes shared memory at byte [0-9]+" PRODUCT_READS "|begins a product that reads shared memory at byte [0-9]+"
     ", which thread [0-9]+ wrote with no barrier between"},
};
class planted_products : public testing::TestWithParam<mistake<kernel>> {};
TEST_P(planted_products, is_caught) { expect_caught(GetParam()); }
INSTANTIATE_TEST_SUITE_P(mistakes, planted_products, testing::ValuesIn(mistakes), [](auto const& info) { return info.param.name; });

// ---- sums touched before the wait for them: seen when products take effect late ----

KERNEL(reads_sums_before_the_wait) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  begin_product(x);
  results[thread()] = x.d[0][0];
  ptx::products_wait<0>(x.d);
}
KERNEL(changes_sums_before_the_wait) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  begin_product(x);
  x.d[3][1] = 0;
  ptx::products_wait<0>(x.d);
}
TEST(sums, are_not_numbers_before_the_wait) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    auto const [said, results] = outcome_of(NAMED(reads_sums_before_the_wait), seed, emulator::landing::late);
    EXPECT_EQ(said, "");
    for (std::size_t i = 0; i < 128; ++i) EXPECT_TRUE(std::isnan(results[i])) << i;
  }
}
TEST(sums, are_not_changed_before_the_wait) {
  for (std::uint64_t seed = 0; seed < 6; ++seed)
    expect_said(outcome_of(NAMED(changes_sums_before_the_wait), seed, emulator::landing::late).said, "changes_sums_before_the_wait",
                                  "planted_products.cpp", "finds that the sums of the product begun at " PLACE " were touched before the wait");
}

// ---- and right ones, close to those ----

KERNEL(fences_stores_and_loads_again) {
  begin();
  fill(tile(0));
  ptx::async_fence();
  ptx::block_barrier();
  store(out, 0);
  ptx::store_tile_wait();
  load(in, 0);
  ptx::mbarrier_wait(barrier(0), 0);
  results[thread()] = first_of(tile(0));
}
KERNEL(releases_a_tile_after_the_wait) {
  load_operands(in);
  if (thread() >= 128) {
    if (thread() == 128) ptx::mbarrier_wait(barrier(3), 0);
    return load(in, 1, 128);
  }
  operands x;
  begin_product(x);
  ptx::products_wait<0>(x.d);
  ptx::named_barrier(1, 128);
  if (thread() == 0) ptx::mbarrier_arrive(barrier(3));
  ptx::mbarrier_wait(barrier(1), 1);
  results[thread()] = x.d[0][0] + first_of(tile(1));
}
TEST(right_sm90, nothing_is_said) {
  for (auto order : {emulator::landing::late, emulator::landing::early})
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      EXPECT_EQ(outcome_of(NAMED(fences_stores_and_loads_again), seed, order).said, "");
      EXPECT_EQ(outcome_of(NAMED(releases_a_tile_after_the_wait), seed, order).said, "");
    }
}

} // namespace
} // namespace attend::emulated
