// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The order of a pass over rows: which task sums which blocks, and the balanced tree their sums are combined by. It
// knows functors as plain functions and accumulators as bytes, so that it is compiled once and not for every expression.
#pragma once
#include <attend/kernels/kept_memory.hpp>
#include <attend/kernels/thrust/in_parallel.hpp>
#include <attend/kernels/thrust/rows_geometry.hpp>
#include <bit>
#include <tbb/task_arena.h>

namespace attend::kernels::passes {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// One reduction. A sum is geometry.columns accumulators, `size` bytes each; args are the sums of the stages before.
struct row_stage {
  void (*reduce)(void const* pass, row_group const&, row_block const&, std::byte* sum, std::byte const* const* args);
  void (*combine)(std::byte* sum, std::byte const* other, int used); // sum = sum op other
  void (*across)(std::byte* sum);                                    // every lane becomes all lanes together
  long size;
  int as; // the first stage that is the same: its sums are this one's, which isn't run if it isn't the first
};

using sums = kept_memory<struct sums_of_rows>;
using waiting_sums = kept_memory<struct sums_that_wait>;

struct rows_schedule {
  static constexpr int max_stages = 8;

  rows_geometry const& geometry;
  void const* pass;
  row_stage const* stages;
  int stage_count;
  bool whole; // the last functor runs over all axes
  void (*write)(void const* pass, row_group const&, row_block const&, std::byte const* const* args);

  long sum_bytes(int stage) const { return (geometry.columns * stages[stage].size + 63) / 64 * 64; }
  long largest_sum() const {
    long bytes = 0;
    for (int i = 0; i < stage_count; ++i) bytes = std::max(bytes, sum_bytes(i));
    return bytes;
  }
  // Sums that wait for their neighbours while `count` of them are combined.
  static long waiting(long count) { return std::bit_width(static_cast<unsigned long>(count)); }

  /// The sum of blocks [first, last): neighbours first, then neighbours of neighbours. The tree of 2^k aligned blocks is
  /// a subtree of it, so that work cut there gives the same bits as work done in one go. `spare`: waiting(last - first).
  void reduce(int stage, row_group const& g, long first, long last, std::byte* sum, std::byte* spare,
              std::byte const* const* args) const {
    row_stage const& s = stages[stage];
    if (last - first <= 1)
      return s.reduce(pass, g, last > first ? geometry.block_at(g, first) : row_block{}, sum, args);
    long const half = static_cast<long>(std::bit_floor(static_cast<unsigned long>(last - first - 1)));
    reduce(stage, g, first, first + half, sum, spare, args);
    reduce(stage, g, first + half, last, spare, spare + sum_bytes(stage), args);
    s.combine(sum, spare, g.used);
  }

  /// Writes what the last functor gives for the blocks of one chunk of a group, or for the group.
  [[gnu::noinline]] void write_chunk(row_group const& g, long chunk, std::byte const* const* args) const {
    if (!whole) return write(pass, g, {0, 1, g.begin, g.end}, args);
    long const first = chunk * geometry.chunk_blocks, last = std::min(geometry.blocks, first + geometry.chunk_blocks);
    for (long i = first; i < last; ++i) write(pass, g, geometry.block_at(g, i), args);
  }

  /// One group from its first stage to its last write, in one task: what it reads stays in the cache.
  void run_group(row_group const& g, std::byte* const* sum, std::byte* spare) const {
    bool const short_rows = geometry.blocks == 1;
    row_block const all = geometry.block_at(g, 0);
    for (int i = 0; i < stage_count; ++i) {
      if (stages[i].as != i) continue;
      if (short_rows) stages[i].reduce(pass, g, all, sum[i], sum);
      else reduce(i, g, 0, geometry.blocks, sum[i], spare, sum);
      if (!geometry.vertical) stages[i].across(sum[i]);
    }
    if (short_rows) return write(pass, g, whole ? all : row_block{0, 1, g.begin, g.end}, sum);
    for (long c = 0; c < (whole ? geometry.chunks : 1); ++c) write_chunk(g, c, sum);
  }
  [[gnu::noinline]] void run_groups(long first, long last) const {
    long const each = largest_sum();
    sums const memory((stage_count + waiting(geometry.blocks)) * each);
    std::byte* sum[max_stages];
    for (int i = 0; i < stage_count; ++i) sum[i] = memory.data() + stages[i].as * each;
    for (long g = first; g < last; ++g) run_group(geometry.group_at(g), sum, memory.data() + stage_count * each);
  }

  /// All groups together, stage by stage, their chunks shared out: for few long rows. Same bits as run_groups.
  [[gnu::cold]] void run_chunks() const {
    long const chunks = geometry.chunks, groups = geometry.groups, size = largest_sum();
    long span = 1; // chunks a task sums: a power of two, so that it sums a subtree
    while (groups * (chunks / span) > 1024) span *= 2;
    long const each = (chunks + span - 1) / span, tasks = groups * each;
    sums const memory((tasks + groups * stage_count) * size); // the tasks' sums, then the groups' by stage
    auto const result = [&](int stage, long group) { return memory.data() + (tasks + stage * groups + group) * size; };
    auto const arguments = [&](long group, std::byte const** args) {
      for (int i = 0; i < stage_count; ++i) args[i] = result(stages[i].as, group);
    };
    for (int stage = 0; stage < stage_count; ++stage) {
      if (stages[stage].as != stage) continue;
      in_parallel(tasks, [&](long i) {
        long const blocks = span * geometry.chunk_blocks, first = i % each * blocks;
        std::byte const* args[max_stages];
        arguments(i / each, args);
        waiting_sums const spare(waiting(blocks) * size);
        reduce(stage, geometry.group_at(i / each), first, std::min(geometry.blocks, first + blocks),
               memory.data() + i * size, spare.data(), args);
      });
      for (long group = 0; group < groups; ++group) {
        std::byte* const sum = memory.data() + group * each * size;
        int const used = geometry.group_at(group).used;
        for (long step = 1; step < each; step *= 2)
          for (long i = 0; i + step < each; i += 2 * step)
            stages[stage].combine(sum + i * size, sum + (i + step) * size, used);
        if (!geometry.vertical) stages[stage].across(sum);
        std::copy(sum, sum + size, result(stage, group));
      }
    }
    long const writes = whole ? chunks : 1;
    in_parallel(groups * writes, [&](long i) {
      std::byte const* args[max_stages];
      arguments(i / writes, args);
      write_chunk(geometry.group_at(i / writes), i % writes, args);
    });
  }

  void run() const {
    if (geometry.chunks > 1 && geometry.groups < 4l * ::tbb::this_task_arena::max_concurrency()) return run_chunks();
    long const per_task = std::max(1l, tiles::elements / std::max(1l, geometry.work()));
    in_parallel((geometry.groups + per_task - 1) / per_task,
                [&](long i) { run_groups(i * per_task, std::min(geometry.groups, (i + 1) * per_task)); });
  }
};

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::passes
