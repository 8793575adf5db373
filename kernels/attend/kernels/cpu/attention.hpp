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

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// The whole attention of `panels` panels of rows, from `first` on, at one position of the batch.
template <class Empty, class T, class Out, int B, class Score>
void attend_rows(attention_problem<T, Out, B> const& problem, Score const& score, long const* batch, long first,
                 long panels) {
  auto const query = slice_at(problem.query, batch), key = slice_at(problem.key, batch), value = slice_at(problem.value, batch);
  auto const out = slice_at(problem.out, batch);
  auto const [rows, keys, depth, width] = std::array{problem.rows, problem.keys, problem.depth, problem.width};
  constexpr bool coarse = half_precision<T> && half_precision<Out>;
  attention_scratch& s = thread_scratch();
  s.reserve(panels, depth, width);

  auto const position = [&](long p) {
    panel_position<B> panel{{}, first + p * panel_rows, std::min<long>(panel_rows, rows - first - p * panel_rows)};
    for (int i = 0; i < B; ++i) panel.batch[i] = batch[i];
    return panel;
  };
  for (long p = 0; p < panels; ++p) {
    auto const panel = position(p);
    load_panel(query, panel.first, panel.count, depth, static_cast<float>(problem.scale), s.query + p * depth * panel_rows);
  }
  std::fill_n(s.output, panels * width * panel_rows, 0.0f);
  std::fill_n(s.max, panels * panel_rows, -__builtin_inff());
  std::fill_n(s.sum, panels * panel_rows, 0.0f);

  panel_position<B> item = position(0);
  item.count = std::min(panels * panel_rows, rows - first);
  for (long block = 0; block < keys; block += tuning.key_block) {
    long const block_end = std::min<long>(block + tuning.key_block, keys);
    tile const kept_of_block = kept_of(score, item, block, block_end);
    if (kept_of_block == tile::none) continue;
    tile_view const key_tile = load_tile(key, block, block_end - block, depth, s.key);
    tile_view const value_tile = load_tile(value, block, block_end - block, width, s.value);
    for (long p = 0; p < panels; ++p) {
      kept_keys const kept = trim(score, position(p), block, block_end, kept_of_block);
      if (kept.count == 0) continue;
      vec largest[tuning.vectors], rescale[tuning.vectors];
      score_products(s.query + p * depth * panel_rows, depth, key_tile.from(kept.first - block), kept.count, s.scores, largest);
      apply_score(score, kept, position(p), s.scores, largest);
      online_softmax<coarse>(s.scores, kept.count, largest, s.max + p * panel_rows, s.sum + p * panel_rows, rescale);
      output_products(s.scores, kept.count, value_tile.from(kept.first - block), width, rescale,
                      s.output + p * width * panel_rows);
    }
  }
  for (long p = 0; p < panels; ++p) {
    auto const panel = position(p);
    store_panel<Empty>(s.output + p * width * panel_rows, s.sum + p * panel_rows, value, keys, width,
                       static_cast<float>(problem.output_scale), s.mean, out, panel.first, panel.count);
  }
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
      long position[B > 0 ? B : 1] = {};
      long rest = i / items;
      for (int axis = B - 1; axis >= 0; --axis) {
        position[axis] = rest % problem.batch[axis];
        rest /= problem.batch[axis];
      }
      long const first = i % items * panels;
      detail::attend_rows<Empty>(problem, score, position, first * panel_rows, std::min(panels, all_panels - first));
    }
  });
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
