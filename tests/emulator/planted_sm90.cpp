// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of sm_90a that are wrong on purpose, as in planted.cpp: each mistake is caught whether copies and products take
// effect early or late.
#include "planted.hpp"
#include <attend/kernels/cuda/ptx_sm90.cuh>
#include <cmath>

namespace {

namespace ptx = attend::kernels::cuda::ptx;
namespace emulator = attend::emulator;
using attend::bf16;

constexpr int threads = 384, tile_bytes = 64 * 128, shared_bytes = 4 * tile_bytes + 64;

std::uint32_t tile(int i) { return ptx::dynamic_shared() + tile_bytes * static_cast<std::uint32_t>(i); }
std::uint32_t barrier(int i) { return tile(4) + 8 * static_cast<std::uint32_t>(i); }
int thread() { return ptx::thread_index(); }
/// Four barriers for an arrival each.
void begin() {
  if (thread() == 0) {
    for (int i = 0; i < 4; ++i) ptx::mbarrier_init(barrier(i), 1);
    ptx::mbarrier_init_fence();
  }
  ptx::block_barrier();
}
/// One thread begins to load a tile that barrier(to) counts.
void load(CUtensorMap const& in, int to, int by = 0) {
  if (thread() != by) return;
  ptx::mbarrier_arrive_expecting(barrier(to), tile_bytes);
  ptx::load_tile(tile(to), in, barrier(to), {{0, 0, 0, 0, 0}});
}
float first_of(std::uint32_t address) { return ptx::unpack<bf16>(ptx::load_shared<std::uint32_t>(address)).x; }

/// What the first warpgroup multiplies, once the others have left.
struct operands {
  float d[8][4] = {};
  std::uint64_t a = ptx::product_operand(tile(0), tile_bytes), b = ptx::product_operand(tile(1), tile_bytes);
};
void load_operands(CUtensorMap const& in) {
  begin();
  load(in, 0), load(in, 1);
  ptx::mbarrier_wait(barrier(0), 0);
  ptx::mbarrier_wait(barrier(1), 0);
}

#define KERNEL(NAME) __global__ void NAME([[maybe_unused]] CUtensorMap const in, [[maybe_unused]] CUtensorMap const out, [[maybe_unused]] float* results)

// ---- tiles and mbarriers ----

KERNEL(reads_a_tile_without_waiting) {
  begin();
  load(in, 0);
  results[thread()] = first_of(tile(0));
  ptx::mbarrier_wait(barrier(0), 0);
}
KERNEL(reads_what_only_one_lane_waited_for) {
  begin();
  load(in, 0);
  if (thread() % 32 == 0) ptx::mbarrier_wait(barrier(0), 0);
  results[thread()] = ptx::shuffle_xor(1.0f, 1) * first_of(tile(0));
}
KERNEL(waits_for_the_wrong_parity) {
  begin();
  load(in, 0);
  ptx::mbarrier_wait(barrier(0), 1);
  results[thread()] = first_of(tile(0));
  ptx::mbarrier_wait(barrier(0), 0);
}
KERNEL(waits_for_a_phase_too_many) {
  begin();
  load(in, 0);
  ptx::mbarrier_wait(barrier(0), 0);
  ptx::mbarrier_wait(barrier(0), 1);
}
KERNEL(waits_for_a_parity_that_is_none) {
  begin();
  ptx::mbarrier_wait(barrier(0), 2);
}
KERNEL(expects_too_few_bytes) {
  begin();
  if (thread() == 0) {
    ptx::mbarrier_arrive_expecting(barrier(0), tile_bytes / 2);
    ptx::load_tile(tile(0), in, barrier(0), {{0, 0, 0, 0, 0}});
  }
  ptx::mbarrier_wait(barrier(0), 0);
}
KERNEL(expects_too_many_bytes) {
  begin();
  if (thread() == 0) {
    ptx::mbarrier_arrive_expecting(barrier(0), tile_bytes + 128);
    ptx::load_tile(tile(0), in, barrier(0), {{0, 0, 0, 0, 0}});
  }
  ptx::mbarrier_wait(barrier(0), 0);
}
KERNEL(never_waits_for_a_tile) {
  begin();
  load(in, 0);
}
KERNEL(loads_over_what_others_read) {
  begin();
  load(in, 0);
  ptx::mbarrier_wait(barrier(0), 0);
  results[thread()] = first_of(tile(0));
  if (thread() != 0) return;
  ptx::mbarrier_arrive_expecting(barrier(1), tile_bytes);
  ptx::load_tile(tile(0), in, barrier(1), {{0, 0, 0, 0, 0}});
  ptx::mbarrier_wait(barrier(1), 0);
}
KERNEL(loads_to_where_a_tile_is_under_way) {
  begin();
  load(in, 0);
  if (thread() == 32) ptx::load_tile(tile(0), in, barrier(1), {{0, 0, 0, 0, 0}});
  ptx::mbarrier_wait(barrier(0), 0);
}
KERNEL(loses_an_arrival) {
  if (thread() == 0) ptx::mbarrier_init(barrier(0), 2);
  ptx::block_barrier();
  if (thread() == 32) ptx::mbarrier_arrive(barrier(0));
  if (thread() == 0) ptx::mbarrier_wait(barrier(0), 0);
}
KERNEL(arrives_too_often) {
  begin();
  if (thread() != 0) return;
  ptx::mbarrier_arrive_expecting(barrier(0), tile_bytes);
  ptx::mbarrier_arrive(barrier(0));
}
KERNEL(has_not_initialised) { ptx::mbarrier_wait(barrier(0), 0); }
KERNEL(initialises_again) {
  begin();
  if (thread() == 0) ptx::mbarrier_init(barrier(0), 1);
}
KERNEL(initialises_without_barrier) {
  if (thread() == 0) ptx::mbarrier_init(barrier(0), 1);
  ptx::shuffle_xor(1.0f, 1);
  if (thread() == 1) ptx::mbarrier_arrive(barrier(0));
}
KERNEL(writes_to_an_mbarrier) {
  begin();
  if (thread() == 0) ptx::store_shared(barrier(0), 0);
}
KERNEL(loads_to_an_unaligned_address) {
  begin();
  if (thread() == 0) ptx::load_tile(tile(0) + 128, in, barrier(0), {{0, 0, 0, 0, 0}});
}
KERNEL(loads_outside_shared) {
  begin();
  if (thread() == 0) ptx::load_tile(tile(4), in, barrier(0), {{0, 0, 0, 0, 0}});
}
KERNEL(loads_from_outside) {
  begin();
  if (thread() == 0) ptx::load_tile(tile(0), in, barrier(0), {{0, 96, 0, 0, 0}}); // the map has 128 rows, the memory 120
}
KERNEL(uses_a_map_that_is_none) {
  begin();
  CUtensorMap const none{};
  if (thread() == 0) ptx::load_tile(tile(0), none, barrier(0), {{0, 0, 0, 0, 0}});
}

// ---- stores of tiles ----

void fill(std::uint32_t to) {
  for (std::uint32_t i = static_cast<std::uint32_t>(thread()) * 4; i < tile_bytes; i += threads * 4) ptx::store_shared(to + i, 0u);
}
void store(CUtensorMap const& out, int from) {
  if (thread() != 0) return;
  ptx::store_tile(out, tile(from), {{0, 0, 0, 0, 0}});
  ptx::store_tile_commit();
}
KERNEL(stores_what_is_not_fenced) {
  fill(tile(0));
  ptx::block_barrier();
  ptx::async_fence();
  store(out, 0);
  ptx::store_tile_wait();
}
KERNEL(stores_what_was_fenced_before_it_was_written) {
  ptx::async_fence();
  fill(tile(0));
  ptx::block_barrier();
  store(out, 0);
  ptx::store_tile_wait();
}
KERNEL(stores_without_barrier) {
  fill(tile(0));
  ptx::async_fence();
  store(out, 0);
  ptx::store_tile_wait();
}
KERNEL(overwrites_what_a_store_reads) {
  fill(tile(0));
  ptx::async_fence();
  ptx::block_barrier();
  store(out, 0);
  ptx::block_barrier();
  fill(tile(0));
  ptx::store_tile_wait();
}
KERNEL(loads_over_what_a_store_reads) {
  begin();
  load(in, 0);
  ptx::mbarrier_wait(barrier(0), 0);
  ptx::block_barrier();
  store(out, 0);
  load(in, 0);
  ptx::store_tile_wait();
  ptx::mbarrier_wait(barrier(0), 1);
}
KERNEL(never_waits_for_a_store) {
  fill(tile(0));
  ptx::async_fence();
  ptx::block_barrier();
  store(out, 0);
}
KERNEL(never_commits_a_store) {
  fill(tile(0));
  ptx::async_fence();
  ptx::block_barrier();
  if (thread() == 0) ptx::store_tile(out, tile(0), {{0, 0, 0, 0, 0}});
  ptx::store_tile_wait();
}
KERNEL(stores_to_outside) {
  fill(tile(0));
  ptx::async_fence();
  ptx::block_barrier();
  if (thread() == 0) ptx::store_tile(out, tile(0), {{0, 64, 0, 0, 0}});
}

// ---- products ----

KERNEL(multiplies_without_waiting_for_operands) {
  begin();
  load(in, 0), load(in, 1);
  ptx::mbarrier_wait(barrier(1), 0);
  if (thread() >= 128) return;
  operands x;
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_commit();
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
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_commit();
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
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_commit();
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
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_commit();
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
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_commit();
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
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_commit();
  ptx::products_wait<0>(x.d);
  if (thread() == 0) ptx::mbarrier_arrive(barrier(3)); // the other warps' products may be under way
  ptx::mbarrier_wait(barrier(1), 1);
}
KERNEL(overwrites_what_its_product_reads) {
  load_operands(in);
  ptx::block_barrier();
  if (thread() >= 128) return;
  operands x;
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_commit();
  if (thread() < 32) ptx::store_shared(tile(1) + static_cast<std::uint32_t>(thread()) * 4, 0.0f);
  ptx::products_wait<0>(x.d);
}

// ---- named barriers, registers ----

KERNEL(comes_to_a_barrier_for_others) {
  if (thread() < 64) ptx::named_barrier(1, 128);
  else ptx::named_barrier(1, 352);
}
KERNEL(comes_to_a_barrier_alone) {
  if (thread() < 64) ptx::named_barrier(2, 128);
}
KERNEL(comes_to_a_barrier_that_is_none) { ptx::named_barrier(16, threads); }
KERNEL(exchanges_at_different_barriers) {
  if (thread() == 0) ptx::store_shared(tile(0), 1.0f);
  if (thread() < 64) ptx::named_barrier(1, 64);
  else ptx::named_barrier(2, threads - 64);
  if (thread() == 96) results[0] = ptx::load_shared<float>(tile(0));
}
KERNEL(arrives_and_reads) { // what the others wrote: arriving does not wait
  if (thread() < 64) ptx::store_shared(tile(0) + 4 * static_cast<std::uint32_t>(thread()), 1.0f);
  if (thread() < 64) ptx::named_barrier(1, 128);
  else if (thread() < 128) {
    ptx::named_barrier_arrive(1, 128);
    results[thread()] = ptx::load_shared<float>(tile(0) + 4 * static_cast<std::uint32_t>(thread() - 64));
  }
}
KERNEL(asks_for_more_registers_than_there_are) {
  if (thread() < 128) return ptx::lower_registers<40>();
  ptx::raise_registers<240>();
}
KERNEL(raises_registers_in_a_branch) {
  if (thread() % 32 < 16) ptx::raise_registers<232>();
}
KERNEL(lowers_to_more_registers) { ptx::lower_registers<232>(); }
KERNEL(calls_uniform_what_differs) { results[thread()] = static_cast<float>(ptx::warp_uniform(thread() / 16)); }

using kernel = void(CUtensorMap, CUtensorMap, float*);
using mistake = attend::emulated::mistake<kernel>;

struct outcome {
  std::string said;
  std::vector<float> results;
};
outcome outcome_of(char const* name, kernel* k, std::uint64_t seed, emulator::landing order) {
  emulator::global_memory in("in", 120 * 128), out("out", 64 * 128), results("results", threads * sizeof(float));
  auto const map_of = [](emulator::global_memory const& memory) {
    CUtensorMap map;
    EXPECT_EQ(ptx::make_map<bf16>(map, {memory.data(), {64, 128, 1, 1, 1}, {128, 1 << 14, 1 << 14, 1 << 14}, {64, 64, 1, 1, 1}}), cudaSuccess);
    return map;
  };
  std::memset(in.data(), 0, in.size()), std::memset(results.data(), 0, results.size());
  emulator::settings options;
  options.seed = seed, options.order = order;
  auto* const numbers = reinterpret_cast<float*>(results.data());
  auto const launch = [&] {
    static_cast<void>(ptx::launch({name, dim3(1), threads, shared_bytes, nullptr}, k, map_of(in), map_of(out), numbers));
  };
  std::string const said = attend::emulated::said_while(options, launch);
  return {said, std::vector<float>(numbers, numbers + threads)};
}

#define TILE_BEFORE_WAIT "before the wait for the tile that thread [0-9]+ began at planted_sm90.cpp:[0-9]+"
#define PRODUCT_READS ", which a product of warp [0-3] reads, with no wait for it and barrier between"
mistake const mistakes[] = {
    {NAMED(reads_a_tile_without_waiting), "(reads shared memory at byte 0 " TILE_BEFORE_WAIT "|reads shared memory at byte 0, which nothing has written|loads a tile to shared memory at byte 0, which thread [0-9]+ read with)"},
    {NAMED(reads_what_only_one_lane_waited_for), "reads shared memory at byte 0 " TILE_BEFORE_WAIT},
    {NAMED(waits_for_the_wrong_parity), "(reads shared memory at byte 0 " TILE_BEFORE_WAIT "|reads shared memory at byte 0, which nothing has written|deadlock; .* wait in mbarrier at byte 32768 for parity 1)"},
    {NAMED(waits_for_a_phase_too_many), "deadlock; threads 0-383 wait in mbarrier at byte 32768 for parity 1 at planted_sm90.cpp:[0-9]+; the mbarrier at byte 32768 is in phase 1 with 0 of 1 arrivals, 0 bytes"},
    {NAMED(waits_for_a_parity_that_is_none), "waits for parity 2"},
    {NAMED(expects_too_few_bytes), "the mbarrier at byte 32768 gets 4096 bytes more than it was told to expect"},
    {NAMED(expects_too_many_bytes), "deadlock; threads 0-383 wait in mbarrier at byte 32768 for parity 0 at planted_sm90.cpp:[0-9]+; the mbarrier at byte 32768 is in phase 0 with 1 of 1 arrivals, 128 bytes outstanding"},
    {NAMED(never_waits_for_a_tile), "loads a tile that nobody has waited for when the block ends"},
    {NAMED(loads_over_what_others_read), "(loads a tile to shared memory at byte [0-9]+, which thread [0-9]+ read with no barrier between|reads shared memory at byte 0 " TILE_BEFORE_WAIT ")"},
    {NAMED(loads_to_where_a_tile_is_under_way), "loads a tile to shared memory at byte 0 " TILE_BEFORE_WAIT},
    {NAMED(loses_an_arrival), "deadlock; threads 1-383 have ended; threads 0 wait in mbarrier at byte 32768 for parity 0 at planted_sm90.cpp:[0-9]+; the mbarrier at byte 32768 is in phase 0 with 1 of 2 arrivals, 0 bytes"},
    {NAMED(arrives_too_often), "arrives at the mbarrier at byte 32768, where all 1 of this phase have arrived"},
    {NAMED(has_not_initialised), "takes byte 32768 for an mbarrier, where none was initialised"},
    {NAMED(initialises_again), "initialises the mbarrier at byte 32768 again"},
    {NAMED(initialises_without_barrier), "uses the mbarrier at byte 32768, which thread 0 initialised with no barrier between"},
    {NAMED(writes_to_an_mbarrier), "writes shared memory at byte 32768, where an mbarrier is"},
    {NAMED(loads_to_an_unaligned_address), "loads a tile to shared memory at byte 128, which is not aligned to 1024 bytes"},
    {NAMED(loads_outside_shared), "loads a tile to shared memory at byte 32768, [0-9]+ bytes, outside the block's 32832"},
    {NAMED(loads_from_outside), "loads a tile from global memory 0 bytes behind the end of 'in' .15360 bytes."},
    {NAMED(uses_a_map_that_is_none), "uses a map of a tensor that make_map has not made"},
    {NAMED(stores_what_is_not_fenced), "stores a tile from shared memory at byte [0-9]+, which thread [0-9]+ wrote without a fence for asynchronous reads"},
    {NAMED(stores_what_was_fenced_before_it_was_written), "stores a tile from shared memory at byte [0-9]+, which thread [0-9]+ wrote without a fence for asynchronous reads"},
    {NAMED(stores_without_barrier), "stores a tile from shared memory at byte [0-9]+, which (thread [0-9]+ wrote with no barrier between|nothing has written)"},
    {NAMED(overwrites_what_a_store_reads), "writes shared memory at byte [0-9]+, which a store of a tile by thread 0 reads, with no wait for it and barrier between"},
    {NAMED(loads_over_what_a_store_reads), "loads a tile to shared memory at byte 0, which a store of a tile by thread 0 reads, with no wait for it and barrier between"},
    {NAMED(never_waits_for_a_store), "stores a tile that it never waits for"},
    {NAMED(never_commits_a_store), "stores a tile that is in no group when the thread ends"},
    {NAMED(stores_to_outside), "stores a tile to global memory 0 bytes behind the end of 'out' .8192 bytes."},
    {NAMED(multiplies_without_waiting_for_operands), "begins a product that reads shared memory at byte [0-9]+ " TILE_BEFORE_WAIT},
    {NAMED(multiplies_without_fence), "begins a product with no products_fence before it"},
    {NAMED(multiplies_again_without_fence), "begins a product with no products_fence before it"},
    {NAMED(multiplies_what_is_not_fenced), "begins a product that reads shared memory at byte [0-9]+, which thread [0-9]+ wrote without a fence for asynchronous reads"},
    {NAMED(multiplies_outside_shared), "begins a product that reads shared memory at byte [0-9]+(, where an mbarrier is|, 16 bytes, outside the block's 32832|, which nothing has written)"},
    {NAMED(multiplies_from_an_unaligned_line), "begins a product whose b begins at byte 8320, not in the first of 8 lines of 128 bytes"},
    {NAMED(multiplies_what_is_no_operand), "begins a product whose a is not made by product_operand"},
    {NAMED(multiplies_other_operands_in_other_lanes), "begins a product whose operands differ between lanes of the warp"},
    {NAMED(never_waits_for_a_product), "begins a product that it never waits for"},
    {NAMED(never_commits_a_product), "begins a product that is in no group when the thread ends"},
    {NAMED(waits_for_other_sums), "begins a product to sums that no wait names"},
    {NAMED(releases_a_tile_before_the_product_is_over), "loads a tile to shared memory at byte [0-9]+" PRODUCT_READS},
    {NAMED(releases_a_tile_of_other_warps), "(loads a tile to shared memory at byte [0-9]+" PRODUCT_READS "|begins a product that reads shared memory at byte [0-9]+ " TILE_BEFORE_WAIT ")"},
    {NAMED(overwrites_what_its_product_reads), "writes shared memory at byte [0-9]+" PRODUCT_READS "|begins a product that reads shared memory at byte [0-9]+, which thread [0-9]+ wrote with no barrier between"},
    {NAMED(comes_to_a_barrier_for_others), "came to named barrier 1 for (128|352) threads while [0-9]+ are in it for (128|352), one at planted_sm90.cpp:[0-9]+"},
    {NAMED(comes_to_a_barrier_alone), "deadlock; threads 64-383 have ended; threads 0-63 wait in named barrier 2 at planted_sm90.cpp:[0-9]+"},
    {NAMED(comes_to_a_barrier_that_is_none), "comes to named barrier 16 for 384 threads"},
    {NAMED(exchanges_at_different_barriers), "(reads shared memory at byte 0, which (thread 0 wrote with no barrier between|nothing has written)|writes shared memory at byte 0, which thread 96 read with)"},
    {NAMED(arrives_and_reads), "(reads shared memory at byte [0-9]+, which (thread [0-9]+ wrote with no barrier between|nothing has written)|writes shared memory at byte [0-9]+, which thread [0-9]+ read with)"},
    {NAMED(asks_for_more_registers_than_there_are), "deadlock; threads [-,0-9]+ have ended; threads [-,0-9]+ wait in setmaxnreg for more at planted_sm90.cpp:[0-9]+"},
    {NAMED(raises_registers_in_a_branch), "deadlock; threads [-,0-9]+ have ended; threads [-,0-9]+ wait in setmaxnreg at planted_sm90.cpp:[0-9]+"},
    {NAMED(lowers_to_more_registers), "lowers its registers from 168 to 232"},
    {NAMED(calls_uniform_what_differs), "calls uniform what is not the same in all lanes of its warp"},
};

class planted_sm90 : public testing::TestWithParam<mistake> {};
TEST_P(planted_sm90, is_caught) {
  auto const& [name, what, sentence] = GetParam();
  for (auto order : {emulator::landing::late, emulator::landing::early})
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      SCOPED_TRACE(std::to_string(seed) + (order == emulator::landing::late ? " late" : " early"));
      attend::emulated::expect_said(outcome_of(name, what, seed, order).said, name, "planted_sm90.cpp", sentence);
    }
}
INSTANTIATE_TEST_SUITE_P(mistakes, planted_sm90, testing::ValuesIn(mistakes), [](auto const& info) { return info.param.name; });

// ---- sums touched before the wait for them: seen when products take effect late ----

KERNEL(reads_sums_before_the_wait) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_commit();
  results[thread()] = x.d[0][0];
  ptx::products_wait<0>(x.d);
}
KERNEL(changes_sums_before_the_wait) {
  load_operands(in);
  if (thread() >= 128) return;
  operands x;
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_commit();
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
    attend::emulated::expect_said(outcome_of(NAMED(changes_sums_before_the_wait), seed, emulator::landing::late).said, "changes_sums_before_the_wait",
                                  "planted_sm90.cpp", "finds that the sums of the product begun at planted_sm90.cpp:[0-9]+ were touched before the wait");
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
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_commit();
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
