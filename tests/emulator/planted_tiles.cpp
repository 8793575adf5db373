// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiles and what threads wait at: mistakes.
#include "planted_sm90.hpp"

namespace attend::emulated {
namespace {

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

// ---- named barriers, registers ----

KERNEL(comes_to_a_barrier_for_others) {
  if (thread() < 64) ptx::named_barrier(1, 128);
  else ptx::named_barrier(1, 352);
}
KERNEL(comes_to_a_barrier_alone) {
  if (thread() < 64) ptx::named_barrier(2, 128);
}
KERNEL(arrives_where_nobody_waits) {
  if (thread() < 64) ptx::named_barrier_arrive(2, 128);
}
KERNEL(comes_to_a_barrier_that_is_none) { ptx::named_barrier(16, threads); }
KERNEL(comes_to_a_barrier_with_half_a_warp) {
  if (thread() % 32 < 16 && thread() < 128) ptx::named_barrier(2, 64);
}
KERNEL(arrives_with_half_a_warp) {
  if (thread() % 32 < 16) ptx::named_barrier_arrive(2, 64);
}
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

mistake<kernel> const mistakes[] = {
    {NAMED(reads_a_tile_without_waiting),
     "(reads shared memory at byte 0 " TILE_BEFORE_WAIT "|reads shared memory at byte 0, which nothing has written"
     "|loads a tile to shared memory at byte 0, which thread [0-9]+ read with)"},
    {NAMED(reads_what_only_one_lane_waited_for), "reads shared memory at byte 0 " TILE_BEFORE_WAIT},
    {NAMED(waits_for_the_wrong_parity),
     "(reads shared memory at byte 0 " TILE_BEFORE_WAIT "|reads shared memory at byte 0, which nothing has written"
     "|deadlock; .* wait in mbarrier at byte 32768 for parity 1)"},
    {NAMED(waits_for_a_phase_too_many),
     "deadlock; threads 0-383 wait in mbarrier at byte 32768 for parity 1 at " PLACE
     "; the mbarrier at byte 32768 is in phase 1 with 0 of 1 arrivals, 0 bytes"},
    {NAMED(waits_for_a_parity_that_is_none), "waits for parity 2"},
    {NAMED(expects_too_few_bytes), "the mbarrier at byte 32768 gets 4096 bytes more than it was told to expect"},
    {NAMED(expects_too_many_bytes),
     "deadlock; threads 0-383 wait in mbarrier at byte 32768 for parity 0 at " PLACE
     "; the mbarrier at byte 32768 is in phase 0 with 1 of 1 arrivals, 128 bytes outstanding"},
    {NAMED(never_waits_for_a_tile), "loads a tile that nobody has waited for when the block ends"},
    {NAMED(loads_over_what_others_read),
     "(loads a tile to shared memory at byte [0-9]+, which thread [0-9]+ read with no barrier between"
     "|reads shared memory at byte 0 " TILE_BEFORE_WAIT ")"},
    {NAMED(loads_to_where_a_tile_is_under_way), "loads a tile to shared memory at byte 0 " TILE_BEFORE_WAIT},
    {NAMED(loses_an_arrival),
     "deadlock; threads 1-383 have ended; threads 0 wait in mbarrier at byte 32768 for parity 0 at " PLACE
     "; the mbarrier at byte 32768 is in phase 0 with 1 of 2 arrivals, 0 bytes"},
    {NAMED(arrives_too_often), "arrives at the mbarrier at byte 32768, where all 1 of this phase have arrived"},
    {NAMED(has_not_initialised), "takes byte 32768 for an mbarrier, where none was initialised"},
    {NAMED(initialises_again), "initialises the mbarrier at byte 32768 again"},
    {NAMED(initialises_without_barrier), "uses the mbarrier at byte 32768, which thread 0 initialised with no barrier between"},
    {NAMED(writes_to_an_mbarrier), "writes shared memory at byte 32768, where an mbarrier is"},
    {NAMED(loads_to_an_unaligned_address), "loads a tile to shared memory at byte 128, which is not aligned to 1024 bytes"},
    {NAMED(loads_outside_shared), "loads a tile to shared memory at byte 32768, [0-9]+ bytes, outside the block's 32832"},
    {NAMED(loads_from_outside), "loads a tile from global memory 0 bytes behind the end of 'in' .15360 bytes."},
    {NAMED(uses_a_map_that_is_none), "uses a map of a tensor that make_map has not made"},
    {NAMED(stores_what_is_not_fenced),
     "stores a tile from shared memory at byte [0-9]+, which thread [0-9]+ wrote without a fence for asynchronous reads"},
    {NAMED(stores_what_was_fenced_before_it_was_written),
     "stores a tile from shared memory at byte [0-9]+, which thread [0-9]+ wrote without a fence for asynchronous reads"},
    {NAMED(stores_without_barrier),
     "stores a tile from shared memory at byte [0-9]+, which (thread [0-9]+ wrote with no barrier between|nothing has written)"},
    {NAMED(overwrites_what_a_store_reads),
     "writes shared memory at byte [0-9]+, which a store of a tile by thread 0 reads, with no wait for it and barrier between"},
    {NAMED(loads_over_what_a_store_reads),
     "loads a tile to shared memory at byte 0, which a store of a tile by thread 0 reads, with no wait for it and barrier between"},
    {NAMED(never_waits_for_a_store), "stores a tile that it never waits for"},
    {NAMED(never_commits_a_store), "stores a tile that is in no group when the thread ends"},
    {NAMED(stores_to_outside), "stores a tile to global memory 0 bytes behind the end of 'out' .8192 bytes."},
    {NAMED(comes_to_a_barrier_for_others),
     "came to named barrier 1 for (128|352) threads while [0-9]+ are in it for (128|352), one at " PLACE},
    {NAMED(comes_to_a_barrier_alone), "deadlock; threads 64-383 have ended; threads 0-63 wait in named barrier 2 at " PLACE},
    {NAMED(arrives_where_nobody_waits), "64 threads arrive at named barrier 2, one at " PLACE ", and nobody comes to wait for them"},
    {NAMED(comes_to_a_barrier_that_is_none), "comes to named barrier 16 for 384 threads"},
    {NAMED(comes_to_a_barrier_with_half_a_warp), "completes a barrier to which 16 lanes of warp [0-3] have come"},
    {NAMED(arrives_with_half_a_warp), "deadlock; threads [-,0-9]+ have ended; threads [-,0-9]+ wait in an arrival at a named barrier at"},
    {NAMED(exchanges_at_different_barriers),
     "(reads shared memory at byte 0, which (thread 0 wrote with no barrier between|nothing has written)"
     "|writes shared memory at byte 0, which thread 96 read with)"},
    {NAMED(arrives_and_reads),
     "(reads shared memory at byte [0-9]+, which (thread [0-9]+ wrote with no barrier between|nothing has written)"
     "|writes shared memory at byte [0-9]+, which thread [0-9]+ read with)"},
    {NAMED(asks_for_more_registers_than_there_are),
     "deadlock; threads [-,0-9]+ have ended; threads [-,0-9]+ wait in setmaxnreg for more at " PLACE},
    {NAMED(raises_registers_in_a_branch), "deadlock; threads [-,0-9]+ have ended; threads [-,0-9]+ wait in setmaxnreg at " PLACE},
    {NAMED(lowers_to_more_registers), "lowers its registers from 168 to 232"},
    {NAMED(calls_uniform_what_differs), "calls uniform what is not the same in all lanes of its warp"},
};
class planted_tiles : public testing::TestWithParam<mistake<kernel>> {};
TEST_P(planted_tiles, is_caught) { expect_caught(GetParam()); }
INSTANTIATE_TEST_SUITE_P(mistakes, planted_tiles, testing::ValuesIn(mistakes), [](auto const& info) { return info.param.name; });

} // namespace
} // namespace attend::emulated
