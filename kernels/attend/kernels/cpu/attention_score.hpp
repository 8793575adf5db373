// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The functors of scores and of weights on one panel, and which keys of a block they keep for it.
#pragma once
#include <attend/kernels/classify.hpp>
#include <attend/kernels/cpu/attention_problem.hpp>
#include <attend/kernels/cpu/attention_scratch.hpp>
#include <attend/kernels/cpu/kept_keys.hpp>
#include <attend/kernels/cpu/lane_axis.hpp>
#include <algorithm>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {

/// Where no factor of the rows is asked for.
struct no_gain {};

namespace detail {

/// What the functor keeps of a box. Without a softmax (Empty is void) what is zero everywhere is not kept.
template <class Empty, class Score, int R>
tile kept_of(Score const& score, box<R> const& at) {
  if constexpr (std::is_same_v<Score, argument<0>>) return tile::all;
  else if constexpr (std::is_void_v<Empty>) return zero_everywhere(score, at) ? tile::none : tile::some;
  else return classify(score, at);
}
/// The same of rows and of the keys from `first` up to `end`.
template <class Empty, int B, class Score>
tile kept_of(Score const& score, row_range<B> const& rows, long first, long end) {
  box<B + 2> at;
  for (int i = 0; i < B; ++i) at.first[i] = at.last[i] = rows.batch[i];
  at.first[B] = rows.first, at.last[B] = rows.first + rows.count - 1;
  at.first[B + 1] = first, at.last[B + 1] = end - 1;
  return kept_of<Empty>(score, at);
}

/// The vectors of a panel that have rows.
template <int B>
vector_range vectors_of(row_range<B> const& panel) {
  return {0, static_cast<int>((panel.count + lanes - 1) / lanes)};
}

/// The vectors of a panel whose rows may keep some of the keys from `first` up to `end`, of which the panel keeps some.
template <class Empty, int B, class Score>
vector_range vectors_that_keep(Score const& score, row_range<B> const& panel, long first, long end) {
  constexpr int V = tuning.vectors;
  vector_range range = vectors_of(panel);
  auto const keeps = [&](int v) {
    row_range<B> rows = panel;
    rows.first += v * lanes, rows.count = std::min<long>(panel.count - v * lanes, lanes);
    return kept_of<Empty>(score, rows, first, end) != tile::none;
  };
  while (range.first < range.end && !keeps(range.first)) ++range.first;
  if (range.empty()) return no_vectors;
  while (!keeps(range.end - 1)) --range.end;
  if (range.first > 0 && range.end < V) range.first > V - range.end ? range.end = V : range.first = 0; // as products know them
  return range;
}

template <class Empty, long Step, int B, class Score>
void divide(kept_keys& runs, Score const& score, row_range<B> const& panel, long first, long end, tile kept) {
  if (kept == tile::some && end - first > Step) {
    long const groups = (end - first + Step - 1) / Step, middle = first + (groups + 1) / 2 * Step;
    divide<Empty, Step>(runs, score, panel, first, middle, kept_of<Empty>(score, panel, first, middle));
    divide<Empty, Step>(runs, score, panel, middle, end, kept_of<Empty>(score, panel, middle, end));
    return;
  }
  vector_range const vectors = kept == tile::all ? vectors_of(panel) : kept == tile::none ? no_vectors : vectors_that_keep<Empty>(score, panel, first, end);
  runs.add({first, end - first, vectors.empty() ? tile::none : kept, vectors});
}

/// Divides a block of keys, of which a panel and its neighbours keep `kept`, by what this panel keeps: into multiples of
/// Step >= tuning.group keys.
template <class Empty, long Step, int B, class Score>
[[gnu::noinline]] kept_keys divide(Score const& score, row_range<B> const& panel, long first, long end, tile kept) {
  kept_keys runs;
  if constexpr (has_mask<Score> || std::is_void_v<Empty>)
    if (kept == tile::some) {
      divide<Empty, Step>(runs, score, panel, first, end, kept_of<Empty>(score, panel, first, end));
      runs.leave_out_the_end();
      return runs;
    }
  runs.add({first, end - first, kept, vectors_of(panel)});
  return runs;
}

/// scores (keys, panel_rows) = score(scores) in some vectors, and the largest of each row, a NaN left out. `Factor`: a
/// float that scores are multiplied by first, or nothing.
template <int B, class Score, class... Factor>
[[gnu::noinline]] void apply_score(Score const& score, row_range<B> const& panel, long first_key, long keys, vector_range vectors,
                                   float* scores, vec (&largest)[tuning.vectors], Factor... factor) {
  Score const f = score; // nobody else's: what is stored below does not change its numbers
  lane_axis<B, B + 2> at;
  for (int i = 0; i < B; ++i) at.at[i] = panel.batch[i];
  for (int v = vectors.first; v < vectors.end; ++v) {
    long const left = panel.count - v * lanes;
    if (left <= 0) break; // what stands there is of no row
    at.at[B] = panel.first + v * lanes;
    at.count = static_cast<int>(left < lanes ? left : lanes);
    vec m(-__builtin_inff());
    for (long j = 0; j < keys; ++j) {
      at.at[B + 1] = first_key + j;
      float* const here = scores + j * panel_rows + v * lanes;
      vec const x = kernels::detail::as_number<vec>(value<vec>(f, at, (load(here) * ... * factor)));
      store(here, x);
      m = max_second(x, m);
    }
    largest[v] = m;
  }
}

/// weights (keys, panel_rows) = weighing(weights).
template <int B, class Weighing>
void weigh(Weighing const& weighing, long first_key, long keys, row_range<B> const& panel, float* weights) {
  if constexpr (!std::is_same_v<Weighing, argument<0>>) {
    vec unused[tuning.vectors];
    apply_score(weighing, panel, first_key, keys, vectors_of(panel), weights, unused);
  }
}

/// The weight of every key in a row whose exponentials add up to zero, as nothing is kept, or to NaN.
template <class Empty>
float alike(float sum, long keys) {
  if (sum != 0 || std::is_same_v<Empty, empty_row::nan_t>) return __builtin_nanf("");
  return std::is_same_v<Empty, empty_row::uniform_t> ? 1 / static_cast<float>(keys) : 0.0f;
}
/// The output of such a row, added up one by one: output(e) is a float&.
template <class T, class Out, int B, class Weighing, class Output>
[[gnu::cold, gnu::noinline]] void output_of_alike(attention_problem<T, Out, B> const& p, Weighing const& weighing, long const* batch,
                                                  long row, float weight, Output const& output) {
  auto const values = slice_at(p.value, batch);
  point<B + 2> at{};
  for (int i = 0; i < B; ++i) at.at[i] = batch[i];
  at.at[B] = row;
  for (long e = 0; e < p.width; ++e) {
    double sum = 0;
    for (long t = 0; t < p.keys; ++t) {
      at.at[B + 1] = t;
      float const w = kernels::detail::as_number<float>(value<float>(weighing, at, weight));
      sum += static_cast<double>(w) * load_number<double>(values.data[t * values.row + e * values.column]);
    }
    output(e) = static_cast<float>(sum);
  }
}

/// A factor for each row of a panel: gain(log-sum-exp).
template <int B, class Gain>
void gain_of(Gain const& gain, row_range<B> const& panel, vec const (&sums)[tuning.vectors], vec (&factor)[tuning.vectors]) {
  if constexpr (!std::is_same_v<Gain, no_gain>) {
    lane_axis<B, B + 2> at{};
    for (int i = 0; i < B; ++i) at.at[i] = panel.batch[i];
    for (int v = 0; v < tuning.vectors; ++v) {
      long const left = panel.count - v * lanes;
      if (left <= 0) break;
      at.at[B] = panel.first + v * lanes;
      at.count = static_cast<int>(left < lanes ? left : lanes);
      factor[v] = factor[v] * kernels::detail::as_number<vec>(value<vec>(gain, at, sums[v]));
    }
  }
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
