// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused attention forward on a CPU, for any elementwise functor of the scores: the online softmax of FlashAttention
// (Dao et al., 2022), transposed. Vectors run over query rows, so keys and values are read where they lie, one element
// spread over the lanes, and the softmax needs no sum across lanes. Memory does not grow with rows or keys.
#pragma once
#include <attend/kernels/cpu/attention_arithmetic.hpp>
#include <attend/kernels/cpu/attention_few.hpp>
#include <attend/kernels/cpu/attention_problem.hpp>
#include <attend/kernels/cpu/attention_scratch.hpp>
#include <attend/kernels/cpu/attention_score.hpp>
#include <attend/kernels/cpu/attention_softmax.hpp>
#include <attend/kernels/cpu/attention_tiles.hpp>
#include <attend/kernels/cpu/in_parallel.hpp>
#include <algorithm>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// One call: what to compute and where to write it.
template <class Empty_, class T, class Out, int B, class Score, class Weighing, class Gain, class Weight, class Sum>
struct attention_call {
  using Empty = Empty_;
  static constexpr bool has_softmax = !std::is_void_v<Empty>;
  /// Whether exponentials need to be no better than 16 bits: not where they are results themselves.
  static constexpr bool coarse = half_precision<T> && half_precision<Out> && std::is_void_v<Weight> && std::is_void_v<Sum>;
  using arithmetic = arithmetic_of<T, Out>;
  /// Whether exponentials are rounded for the products as they are made, since nobody else asks for them.
  static constexpr bool rounded_at_once =
      arithmetic::rounds_weights && has_softmax && coarse && std::is_same_v<Weighing, argument<0>>;
  /// Whether the exponentials' own multiplication takes the factor that the products leave.
  static constexpr bool factor_comes_last = rounded_at_once && only_masks<Score>;

  attention_problem<T, Out, B> const& problem;
  Score const& score;
  Weighing const& weighing;
  Gain const& gain;
  attention_results<Weight, Sum, B> const& also;
  bool streams_weights = false; // past the caches, since there are more than stay in them
};

/// Computes panels of rows that see the same keys. Along the rows the panels of all heads of a group take turns, so that
/// neighbours share tiles of keys and values, and a mask that asks for positions only keeps the same for them.
template <class Call>
class attending;
template <class Empty, class T, class Out, int B, class Score, class Weighing, class Gain, class Weight, class Sum>
class attending<attention_call<Empty, T, Out, B, Score, Weighing, Gain, Weight, Sum>> {
  using call = attention_call<Empty, T, Out, B, Score, Weighing, Gain, Weight, Sum>;
  using arithmetic = typename call::arithmetic;
  using factors = vec[tuning.vectors]; // one number for each row of a panel

  call const& c_;
  key_batch<B> const& keys_of_;
  long const* const batch_; // position in keys_of_
  matrix_slice<T const> const key_, value_;
  long const rows_, keys_, depth_, width_;
  arithmetic const arithmetic_;
  attention_scratch& s_ = thread_scratch();
  lines_ahead ahead_;

public:
  attending(call const& c, key_batch<B> const& keys_of, long const* batch)
      : c_(c), keys_of_(keys_of), batch_(batch), key_(slice_at(c.problem.key, batch)), value_(slice_at(c.problem.value, batch)),
        rows_(c.problem.rows), keys_(c.problem.keys), depth_(c.problem.depth), width_(c.problem.width), arithmetic_(c.problem.scale) {}

  /// `panels` panels from number `first` on; `next`, if any, is the position in keys_of whose turn comes after this one.
  /// Where one block holds all keys, a panel is done before the next begins, in the same scratch.
  void operator()(long first, long panels, long const* next) {
    bool const at_once = in_one_block<arithmetic>(keys_);
    [[maybe_unused]] typename arithmetic::session const session{};
    s_.reserve(at_once ? 1 : panels, arithmetic_.sizes(depth_, width_));
    if (next != nullptr) want_next(first, panels, next);
    for (long block = 0; block < keys_; block += arithmetic::key_block) {
      long const end = std::min<long>(block + arithmetic::key_block, keys_);
      tile const kept_of_block = kept_of<Empty>(c_.score, all_of(first, panels, block, end));
      if (kept_of_block == tile::none) continue;
      if (end < keys_) {
        long const rows = std::min<long>(arithmetic::key_block, keys_ - end);
        want_rows(ahead_, value_, end, rows, width_);
        want_rows(ahead_, key_, end, rows, depth_);
      }
      auto const keys = arithmetic_.load_keys(key_, block, end - block, depth_, s_.key);
      auto const values = arithmetic_.load_values(value_, block, end - block, width_, s_.value);
      for (long p = 0; p < panels; ++p) {
        row_range<B> const range = rows_of(first + p);
        panel_state& panel = s_.panel[at_once ? 0 : p];
        kept_keys const kept = divide<Empty, arithmetic::key_step>(c_.score, range, block, end, kept_of_block);
        if (kept.empty()) {
          if (at_once) done(panel, range);
          continue;
        }
        if (!panel.ready) {
          want_rows(ahead_, slice_at(c_.problem.out, range.batch), range.first, range.count, width_);
          begin(panel, range);
          want_queries(rows_of(first + p + 1), next);
        }
        long const before = kept.first() - block;
        step(panel, range, kept, arithmetic_.keys_from(keys, before), arithmetic_.values_from(values, before));
        if (at_once) done(panel, range, &kept);
      }
      if (at_once) return;
    }
    // panels of several blocks, and those that meet no key at all
    for (long p = 0; p < panels; ++p) done(s_.panel[at_once ? 0 : p], rows_of(first + p));
  }

private:
  /// Writes the results of a panel, which is a new one from then on. `all` are the keys kept if their weights are in the
  /// scratch still.
  void done(panel_state& panel, row_range<B> const& range, kept_keys const* all = nullptr) {
    if (!panel.ready) begin(panel, range);
    finish(panel, range, all);
    panel.ready = false, panel.fresh = true;
  }
  // Heads of a group take turns, so that neighbours keep the same of a block; where one holds all keys, rows run as they
  // lie in memory.
  row_range<B> rows_of(long panel) const {
    long at = panel, turn = 0;
    if (keys_of_.repeats > 1) { // else without a division
      long const by = in_one_block<arithmetic>(keys_) ? (rows_ + panel_rows - 1) / panel_rows : keys_of_.repeats;
      at = panel / by, turn = panel % by;
      if (in_one_block<arithmetic>(keys_)) std::swap(at, turn);
    }
    long const first = at * panel_rows;
    row_range<B> range{{}, first, turn < keys_of_.repeats ? std::clamp<long>(rows_ - first, 0, panel_rows) : 0};
    for (int i = 0; i < B; ++i) range.batch[i] = batch_[i];
    if (keys_of_.repeats > 1) range.batch[keys_of_.axis] = turn;
    return range;
  }
  /// Some panels and the keys from `block` up to `end`.
  box<B + 2> all_of(long first, long panels, long block, long end) const {
    row_range<B> const from = rows_of(first), to = rows_of(first + panels - 1);
    box<B + 2> at;
    for (int i = 0; i < B; ++i) at.first[i] = from.batch[i], at.last[i] = to.batch[i];
    at.first[B] = from.first, at.last[B] = to.first + to.count - 1;
    if (keys_of_.repeats > 1 && in_one_block<arithmetic>(keys_)) {
      if (from.batch[keys_of_.axis] != to.batch[keys_of_.axis]) at.first[B] = 0, at.last[B] = rows_ - 1;
    } else if (to.first > from.first && keys_of_.axis >= 0) at.first[keys_of_.axis] = 0, at.last[keys_of_.axis] = keys_of_.repeats - 1;
    at.first[B + 1] = block, at.last[B + 1] = end - 1;
    return at;
  }
  /// Asks for these panels' share of the next position's keys and values.
  void want_next(long first, long panels, long const* next) {
    if (keys_ * (depth_ + width_) * static_cast<long>(sizeof(T)) > tuning.bytes_ahead) return;
    long const all = keys_of_.repeats * ((rows_ + panel_rows - 1) / panel_rows);
    long const from = keys_ * first / all, count = keys_ * (first + panels) / all - from;
    auto const next_key = slice_at(c_.problem.key, next), next_value = slice_at(c_.problem.value, next);
    if (next_value.data != value_.data) want_rows(ahead_, next_value, from, count, width_);
    if (next_key.data != key_.data) want_rows(ahead_, next_key, from, count, depth_);
  }
  /// Asks for a panel's queries; where there is none left, for those that the next position's keys meet first.
  void want_queries(row_range<B> const& range, long const* next) {
    if (range.count > 0) want_rows(ahead_, slice_at(c_.problem.query, range.batch), range.first, range.count, depth_);
    else if (next != nullptr) want_rows(ahead_, slice_at(c_.problem.query, next), 0, std::min<long>(rows_, panel_rows), depth_);
  }
  void begin(panel_state& panel, row_range<B> const& range) {
    arithmetic_.load_queries(slice_at(c_.problem.query, range.batch), range.first, range.count, depth_, panel.query);
    std::fill_n(panel.max, panel_rows, -__builtin_inff());
    std::fill_n(panel.sum, panel_rows, 0.0f);
    panel.ready = true;
  }

  /// One block of keys and one panel: scores, then weights, then what they add to the output. `key` and `value` begin
  /// with the first key kept.
  template <class Keys, class Values>
  void step(panel_state& panel, row_range<B> const& range, kept_keys const& kept, Keys const& key, Values const& value) {
    factors largest, rescale;
    scores_of(panel, range, kept, key, s_.scores, largest);
    if constexpr (call::rounded_at_once) {
      float const factor = call::factor_comes_last ? arithmetic_.factor() : 1.0f;
      for (vec& m : largest) m = m * factor;
      online_softmax<arithmetic::slack>(largest, panel, rescale, [&](factors const& m, factors& total) {
        arithmetic_.rounded_exponentials(s_, factor, kept, m, total);
      });
    } else {
      if constexpr (call::has_softmax)
        online_softmax<arithmetic::slack>(largest, panel, rescale, [&](factors const& m, factors& total) { exponentials<call::coarse>(s_.scores, kept, m, total); });
      else
        for (vec& r : rescale) r = vec(1.0f);
      weigh(c_.weighing, kept.first(), kept.count(), range, s_.scores);
      if constexpr (arithmetic::rounds_weights) arithmetic_.round_weights(s_, kept.count());
    }
    arithmetic_.output_products(s_, kept, value, width_, rescale, panel, ahead_);
    panel.fresh = false;
  }

  /// scores (keys, panel_rows) from the first key kept to the last, and the largest of each row, a NaN left out. What lies
  /// outside of a run's vectors is for the exponentials to fill, or zero where there are none.
  template <class Keys>
  void scores_of(panel_state const& panel, row_range<B> const& range, kept_keys const& kept, Keys const& key, float* scores,
                 factors& largest) {
    for (vec& m : largest) m = vec(-__builtin_inff());
    for (key_run const& run : kept) {
      long const at = run.first - kept.first();
      float* const here = scores + at * panel_rows;
      if (run.kept != tile::none) {
        factors of_run;
        arithmetic_.score_products(panel.query, depth_, arithmetic_.keys_from(key, at), run.count, run.vectors, here, of_run, ahead_);
        auto const apply = [&](auto const& score) {
          constexpr bool plain = std::is_same_v<std::remove_cvref_t<decltype(score)>, argument<0>>;
          if constexpr (arithmetic::leaves_factor && !call::factor_comes_last)
            apply_score(score, range, run.first, run.count, run.vectors, here, of_run, arithmetic_.factor());
          else if constexpr (!plain) apply_score(score, range, run.first, run.count, run.vectors, here, of_run);
        };
        if (has_mask<Score> && run.kept == tile::all) apply(unmasked(c_.score)); // a mask that keeps all is not computed
        else apply(c_.score);
        for (int v = run.vectors.first; v < run.vectors.end; ++v) largest[v] = max_second(of_run[v], largest[v]);
      }
      if constexpr (!call::has_softmax) fill_outside(run.vectors, here, run.count, 0.0f);
    }
  }

  /// The results of a panel that has seen all keys.
  void finish(panel_state& panel, row_range<B> const& range, kept_keys const* all) {
    if (panel.fresh) std::fill_n(panel.output, width_ * panel_rows, 0.0f);
    factors weight; // what exp(score - maximum) is multiplied by
    for (vec& w : weight) w = vec(1.0f);
    if constexpr (call::has_softmax) {
      factors sums;
      for (int v = 0; v < tuning.vectors; ++v) {
        vec const total = load(panel.sum + v * lanes);
        sums[v] = load(panel.max + v * lanes) + log(total);
        weight[v] = vec(1.0f) / total;
        mask const alone = are_alike(total);
        if (any(alone)) {
          weight[v] = select(alone, vec(1.0f), weight[v]); // the output is zero, or made here
          for (int i = 0; i < lanes && v * lanes + i < range.count; ++i)
            if (alone[i]) weigh_alike(panel, range, v * lanes + i, total[i]);
        }
      }
      if constexpr (!std::is_void_v<Sum>) write_sums(sums, range);
      gain_of(c_.gain, range, sums, weight);
    } else gain_of(c_.gain, range, weight, weight);
    factors factor;
    for (int v = 0; v < tuning.vectors; ++v) factor[v] = weight[v] * vec(static_cast<float>(c_.problem.output_scale));
    store_panel(panel.output, width_, factor, slice_at(c_.problem.out, range.batch), range.first, range.count);
    if constexpr (!std::is_void_v<Weight>) {
      if (all != nullptr && all->count() == keys_ && weights_stay(panel, range)) {
        for (vec& w : weight) w = w * vec(static_cast<float>(c_.also.weights_scale));
        auto const out = slice_at(c_.also.weights, range.batch);
        if (c_.streams_weights) store_panel<true>(s_.scores, keys_, weight, out, range.first, range.count);
        else store_panel(s_.scores, keys_, weight, out, range.first, range.count);
      } else write_weights(panel, range, weight);
    }
  }
  /// Whether the weights in the scratch are those of the results: no row's sum is one that makes its weights alike.
  static bool weights_stay(panel_state const& panel, row_range<B> const& range) {
    if constexpr (call::has_softmax)
      for (int v = 0; v < vectors_of(range).end; ++v)
        if (any(are_alike(load(panel.sum + v * lanes)))) return false;
    return true;
  }

  /// Rows with one weight for all keys that exponentials do not tell: where nothing is kept, and where a weight is NaN. Of
  /// the latter a `weighing` may leave some out, so that dividing by their sum comes too late.
  static mask are_alike(vec sums) {
    if constexpr (std::is_same_v<Weighing, argument<0>>) return sums == vec(0.0f);
    else return !(sums > vec(0.0f));
  }
  /// The output of such a row.
  [[gnu::noinline]] void weigh_alike(panel_state& panel, row_range<B> const& range, int row, float sum) const {
    if (sum != 0 || !std::is_same_v<Empty, empty_row::zeros_t>)
      output_of_alike(c_.problem, c_.weighing, range.batch, range.first + row, alike<Empty>(sum, keys_),
                      [&](long e) -> float& { return panel.output[e * panel_rows + row]; });
  }

  void write_sums(factors const& sums, row_range<B> const& range) const {
    alignas(64) float line[panel_rows];
    factors one;
    for (int v = 0; v < tuning.vectors; ++v) store(line + v * lanes, sums[v]), one[v] = vec(1.0f);
    store_panel(line, 1, one, slice_at(c_.also.sums, range.batch), range.first, range.count);
  }

  /// The weights need the last maximum and sum, so the scores are computed once more.
  [[gnu::noinline]] void write_weights(panel_state& panel, row_range<B> const& range, factors const& weight) {
    auto const out = slice_at(c_.also.weights, range.batch);
    factors largest, m, factor, total;
    for (int v = 0; v < tuning.vectors; ++v) {
      factor[v] = weight[v] * vec(static_cast<float>(c_.also.weights_scale));
      vec const max = load(panel.max + v * lanes);
      m[v] = select(max == vec(-__builtin_inff()), vec(0.0f), max);
    }
    for (long block = 0; block < keys_; block += arithmetic::key_block) {
      long const end = std::min<long>(block + arithmetic::key_block, keys_);
      kept_keys const kept = divide<Empty, arithmetic::key_step>(c_.score, range, block, end, kept_of<Empty>(c_.score, range, block, end));
      if (kept.empty() || kept.count() < end - block) std::fill_n(s_.scores, (end - block) * panel_rows, 0.0f);
      if (!kept.empty()) {
        float* const here = s_.scores + (kept.first() - block) * panel_rows;
        scores_of(panel, range, kept, arithmetic_.load_keys(key_, kept.first(), kept.count(), depth_, s_.key), here, largest);
        if constexpr (call::has_softmax) exponentials<call::coarse>(here, kept, m, total);
      }
      if constexpr (call::has_softmax)
        for (int v = 0; v < tuning.vectors; ++v) {
          vec const sums = load(panel.sum + v * lanes);
          mask const alone = are_alike(sums);
          if (any(alone))
            for (int i = 0; i < lanes; ++i)
              if (alone[i])
                for (long j = 0; j < end - block; ++j) s_.scores[j * panel_rows + v * lanes + i] = alike<Empty>(sums[i], keys_);
        }
      weigh(c_.weighing, block, end - block, range, s_.scores);
      store_panel(s_.scores, end - block, factor, matrix_slice<Weight>{out.data + block * out.column, out.row, out.column}, range.first, range.count);
    }
  }
};

} // namespace detail

/// Fused attention of any extents and strides. The functors are those of functor.hpp; axes 0 ... B - 1 are the batch
/// axes, axis B the query row, axis B + 1 the key. `score` takes the scaled product for argument<0>, `weighing`, which is
/// linear, the weight, and `gain`, of the batch and the row, the row's log-sum-exp. Empty says what a row with nothing
/// kept gives; where it is void there is no softmax: scores are weights. T and the results: float, bf16 or f16;
/// products and sums are in f32.
template <class Empty, class T, class Out, int B, class Score, class Weighing = argument<0>, class Gain = no_gain,
          class Weight = void, class Sum = void>
void attention(attention_problem<T, Out, B> const& problem, Score const& score, Weighing const& weighing = {},
               Gain const& gain = {}, attention_results<Weight, Sum, B> const& also = {}) {
  long batches = 1;
  for (int i = 0; i < B; ++i) batches *= problem.batch[i];
  if (batches == 0 || problem.rows == 0 || (problem.width == 0 && std::is_void_v<Weight> && std::is_void_v<Sum>)) return;

  key_batch<B> const keys_of(problem);
  if constexpr (std::is_void_v<Weight> && (std::is_void_v<Empty> || std::is_same_v<Empty, empty_row::zeros_t>))
    if (detail::has_few_rows(problem, keys_of)) return detail::attention_few<Empty>(problem, keys_of, score, weighing, gain, also.sums);

  // Large items share tiles of keys and values; small ones leave every thread something to do.
  long const all_panels = keys_of.repeats * ((problem.rows + panel_rows - 1) / panel_rows);
  long panels = std::min<long>(detail::in_one_block<detail::arithmetic_of<T, Out>>(problem.keys) ? tuning.panels_at_once : half_precision<T> ? detail::arithmetic_of<T, Out>::panels_of_16_bits : tuning.panels, all_panels);
  auto const items_of = [&](long p) { return (all_panels + p - 1) / p; };
  while (panels > 1 && keys_of.count * items_of(panels) < 2 * threads()) panels = (panels + 1) / 2;
  long const items = items_of(panels);

  using call = detail::attention_call<Empty, T, Out, B, Score, Weighing, Gain, Weight, Sum>;
  bool streams_weights = false;
  if constexpr (!std::is_void_v<Weight>)
    streams_weights = static_cast<double>(batches) * problem.rows * problem.keys * sizeof(Weight) > tuning.bytes_streamed;
  call const c{problem, score, weighing, gain, also, streams_weights};
  in_parallel(keys_of.count * items, [&](long i) {
    auto const position = position_of(keys_of.extent, i / items), next = position_of(keys_of.extent, i / items + 1);
    long const first = i % items * panels;
    detail::attending<call>{c, keys_of, position.data()}(first, std::min(panels, all_panels - first),
                                                         i / items + 1 < keys_of.count ? next.data() : nullptr);
    if (streams_weights) fence();
  });
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
