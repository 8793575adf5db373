// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a panel keeps of a block of keys: runs of keys, each with the vectors of rows that it concerns.
#pragma once
#include <attend/kernels/classify.hpp>
#include <attend/kernels/cpu/attention_tuning.hpp>
#include <utility>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Vectors of a panel, from `first` up to `end`: none, or the first ones, the last ones or all.
struct vector_range {
  int first = 0, end = tuning.vectors;

  bool empty() const { return first == end; }
  friend bool operator==(vector_range const& x, vector_range const& y) { return x.first == y.first && x.end == y.end; }
};
inline constexpr vector_range no_vectors{0, 0};

/// f.operator()<First, Count>() for the vectors of a range, if there are any.
template <class F>
[[gnu::always_inline]] inline void with_vectors(vector_range const& range, F const& f) {
  constexpr int V = tuning.vectors;
  if (range.first == 0 && range.end == V) return f.template operator()<0, V>();
  [&]<int... Less>(std::integer_sequence<int, Less...>) __attribute__((always_inline)) {
    static_cast<void>(((range.first == 0 && range.end == Less + 1 && (f.template operator()<0, Less + 1>(), true)) || ...) ||
                      ((range.first == Less + 1 && range.end == V && (f.template operator()<Less + 1, V - Less - 1>(), true)) || ...));
  }(std::make_integer_sequence<int, V - 1>{});
}
/// f.operator()<Count>() for how many they are, if there are any.
template <class F>
[[gnu::always_inline]] inline void with_count(vector_range const& range, F const& f) {
  [&]<int... Less>(std::integer_sequence<int, Less...>) __attribute__((always_inline)) {
    static_cast<void>(((range.end - range.first == Less + 1 && (f.template operator()<Less + 1>(), true)) || ...));
  }(std::make_integer_sequence<int, tuning.vectors>{});
}

/// Consecutive keys and what a panel keeps of them.
struct key_run {
  long first, count;
  tile kept;
  vector_range vectors; // whose rows may keep some of them
};

/// The runs of a block from the first key that some row of a panel may keep to the last such key.
class kept_keys {
public:
  kept_keys() = default;
  /// All of so many keys, for all rows.
  explicit kept_keys(long count) { add({0, count, tile::all, {}}); }

  key_run const* begin() const { return run_; }
  key_run const* end() const { return run_ + runs_; }
  bool empty() const { return runs_ == 0; }
  long first() const { return run_[0].first; }
  long count() const { return run_[runs_ - 1].first + run_[runs_ - 1].count - run_[0].first; }

  /// Keys that follow the ones added last.
  void add(key_run const& run) {
    key_run* const last = runs_ > 0 ? run_ + runs_ - 1 : nullptr;
    if (last != nullptr && last->kept == run.kept && last->vectors == run.vectors) last->count += run.count;
    else if (last != nullptr || run.kept != tile::none) run_[runs_++] = run;
  }
  void leave_out_the_end() {
    if (runs_ > 0 && run_[runs_ - 1].kept == tile::none) --runs_;
  }

private:
  key_run run_[(tuning.key_block + tuning.group - 1) / tuning.group];
  int runs_ = 0;
};

/// Fills rows of `panel_rows` numbers outside of the vectors of a range.
template <class Number>
inline void fill_outside(vector_range const& range, Number* rows, long count, Number with) {
  if (range == vector_range{}) return;
  for (long i = 0; i < count; ++i, rows += panel_rows) {
    for (int n = 0; n < range.first * machine::lanes; ++n) rows[n] = with;
    for (int n = range.end * machine::lanes; n < panel_rows; ++n) rows[n] = with;
  }
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
