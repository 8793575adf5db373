// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused attention forward on a CPU, for any elementwise functor of the scores: the online softmax of FlashAttention
// (Dao et al., 2022), transposed. Vectors run over query rows, so keys and values are read where they lie, one element
// spread over the lanes, and the softmax needs no sum across lanes. Memory does not grow with rows or keys.
#pragma once
#include <attend/kernels/cpu/attention_problem.hpp>
#include <attend/kernels/cpu/attention_products.hpp>
#include <attend/kernels/cpu/attention_scratch.hpp>
#include <attend/kernels/cpu/attention_score.hpp>
#include <attend/kernels/cpu/attention_softmax.hpp>
#include <attend/kernels/cpu/attention_tiles.hpp>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <algorithm>
#include <array>
#include <cstring>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// The attention of `panels` panels of rows, from `first` on, at one position of the batch; `next`, if any, is
/// the position whose turn comes after it.
template <class Empty, class T, class Out, int B, class Score>
void attend_rows(attention_problem<T, Out, B> const& problem, Score const& score, long const* batch, long const* next,
                 long first, long panels) {
  auto const query = slice_at(problem.query, batch), key = slice_at(problem.key, batch), value = slice_at(problem.value, batch);
  auto const out = slice_at(problem.out, batch);
  long const rows = problem.rows, keys = problem.keys, depth = problem.depth, width = problem.width;
  attention_scratch& s = thread_scratch();
  s.reserve(panels, depth, width);

  auto const rows_from = [&](long from, long count) {
    row_range<B> range{{}, from, std::clamp(rows - from, 0l, count)};
    for (int i = 0; i < B; ++i) range.batch[i] = batch[i];
    return range;
  };
  auto const begin = [&](panel_state& panel, row_range<B> const& range) {
    load_panel(query, range.first, range.count, depth, static_cast<float>(problem.scale), panel.query);
    std::memset(panel.output, 0, static_cast<std::size_t>(width * panel_rows) * sizeof(float));
    std::fill_n(panel.max, panel_rows, -__builtin_inff());
    std::fill_n(panel.sum, panel_rows, 0.0f);
    panel.ready = true;
  };

  lines_ahead ahead;
  if (next != nullptr && keys * (depth + width) * static_cast<long>(sizeof(T)) <= tuning.bytes_ahead) {
    // This item's share of the next position's keys and values.
    long const from = keys * first / rows, count = keys * std::min(rows, first + panels * panel_rows) / rows - from;
    auto const next_key = slice_at(problem.key, next), next_value = slice_at(problem.value, next);
    if (next_value.data != value.data) want_rows(ahead, next_value, from, count, width);
    if (next_key.data != key.data) want_rows(ahead, next_key, from, count, depth);
  }

  for (long block = 0; block < keys; block += tuning.key_block) {
    long const block_end = std::min<long>(block + tuning.key_block, keys);
    tile const kept_of_block = kept_of(score, rows_from(first, panels * panel_rows), block, block_end);
    if (kept_of_block == tile::none) continue;
    tile_view const key_tile = load_tile(key, block, block_end - block, depth, s.key);
    tile_view const value_tile = load_tile(value, block, block_end - block, width, s.value);

    for (long p = 0; p < panels; ++p) {
      panel_state& panel = s.panel[p];
      row_range<B> const range = rows_from(first + p * panel_rows, panel_rows);
      kept_keys const kept = trim(score, range, block, block_end, kept_of_block);
      if (kept.count == 0) continue;
      if (block_end == keys) want_rows(ahead, out, range.first, range.count, width);
      if (!panel.ready) {
        begin(panel, range);
        want_rows(ahead, query, range.first + panel_rows, rows_from(range.first + panel_rows, panel_rows).count, depth);
      }

      vec largest[tuning.vectors], rescale[tuning.vectors]; // (rows)
      score_products(panel.query, depth, key_tile.from(kept.first - block), kept.count, s.scores, largest, ahead);
      apply_score(score, kept, range, s.scores, largest);
      online_softmax<half_precision<T> && half_precision<Out>>(s.scores, kept.count, largest, panel, rescale);
      output_products(s.scores, kept.count, value_tile.from(kept.first - block), width, rescale, panel.output, ahead);
    }
  }
  for (long p = 0; p < panels; ++p) {
    row_range<B> const range = rows_from(first + p * panel_rows, panel_rows);
    if (!s.panel[p].ready) begin(s.panel[p], range);
    store_panel<Empty>(s.panel[p], value, keys, width, static_cast<float>(problem.output_scale), s.mean, out, range);
  }
}

/// The i-th position of the batch axes, the last of them running fastest.
template <std::size_t N>
std::array<long, N> position_of(long const (&batch)[N], long i) {
  std::array<long, N> position{};
  for (std::size_t axis = N; axis-- > 0;) {
    if (batch[axis] > 0) position[axis] = i % batch[axis], i /= batch[axis];
  }
  return position;
}

} // namespace detail

/// Fused attention of any extents and strides. `score` is a functor of functor.hpp: argument<0> is the scaled product,
/// axes 0 ... B - 1 are the batch axes, axis B the query row, axis B + 1 the key. Empty says what a row with nothing
/// kept gives. T and Out: float, bf16 or f16; products and sums are in f32.
template <class Empty, class T, class Out, int B, class Score>
void attention(attention_problem<T, Out, B> const& problem, Score const& score) {
  long batches = 1;
  for (int i = 0; i < B; ++i) batches *= problem.batch[i];
  if (batches == 0 || problem.rows == 0 || problem.width == 0) return;

  // Large items share tiles of keys and values; small ones leave every thread something to do.
  long const all_panels = (problem.rows + panel_rows - 1) / panel_rows;
  long panels = std::min<long>(half_precision<T> ? tuning.panels_16 : tuning.panels, all_panels);
  auto const items_of = [&](long p) { return (all_panels + p - 1) / p; };
  while (panels > 1 && batches * items_of(panels) < 2 * tbb::this_task_arena::max_concurrency()) panels = (panels + 1) / 2;
  long const items = items_of(panels);

  tbb::parallel_for(tbb::blocked_range<long>(0, batches * items), [&](tbb::blocked_range<long> const& range) {
    for (long i = range.begin(); i < range.end(); ++i) {
      auto const position = detail::position_of(problem.batch, i / items), next = detail::position_of(problem.batch, i / items + 1);
      long const first = i % items * panels;
      detail::attend_rows<Empty>(problem, score, position.data(), i / items + 1 < batches ? next.data() : nullptr,
                                 first * panel_rows, std::min(panels, all_panels - first));
    }
  });
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
