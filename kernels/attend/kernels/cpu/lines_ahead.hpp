// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory asked for before it is read, spread through the products so that it never comes in a burst.
#pragma once
#include <attend/kernels/cpu/simd.hpp>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Cache lines at equal distances, asked for one at a time.
class next_lines {
public:
  next_lines(char const* first, long step) : at_(first), step_(step) {}
  template <cache_level Level = cache_level::nearest>
  void ask() {
    prefetch<Level>(at_);
    at_ += step_;
  }

private:
  char const* at_;
  long step_;
};

/// Cache lines that are wanted soon; what came in last is asked for first.
class lines_ahead {
public:
  /// Rows of `columns` elements; forgotten if too much is waiting.
  template <class T>
  void want(T const* first, long stride, long rows, long columns) {
    if (waiting_ == most || rows <= 0 || columns <= 0) return;
    long const step = stride * static_cast<long>(sizeof(T)), bytes = columns * static_cast<long>(sizeof(T));
    bool const is_one_row = step == bytes; // without a gap
    wanted& w = wanted_[waiting_++];
    w.at = w.column = reinterpret_cast<char const*>(first);
    w.step = is_one_row ? line : step;
    w.left = w.rows = is_one_row ? lines_of(rows * bytes) : rows;
    w.columns = is_one_row ? 1 : lines_of(bytes);
  }
  /// The next lines, up to `count` of them; who asks for more asks for what lies behind, which does no harm.
  next_lines next(long count) {
    if (waiting_ == 0) return {reinterpret_cast<char const*>(this), 0};
    next_lines const lines(now().at, now().step);
    take(count);
    return lines;
  }
  /// Asks for so many.
  template <cache_level Level = cache_level::nearest>
  void ask(long lines) {
    while (lines > 0 && waiting_ > 0) {
      next_lines next(now().at, now().step);
      long const taken = take(lines);
      for (long i = 0; i < taken; ++i) next.ask<Level>();
      lines -= taken;
    }
  }

private:
  static constexpr int most = 6;
  static constexpr long line = 64;
  struct wanted {
    char const *column, *at; // a column of lines, one of each row, and where in it
    long step, left, rows, columns;
  };
  static long lines_of(long bytes) { return (bytes + line - 1) / line; }
  wanted& now() { return wanted_[waiting_ - 1]; }
  long take(long count) {
    wanted& w = now();
    long const taken = count < w.left ? count : w.left;
    w.at += taken * w.step;
    w.left -= taken;
    if (w.left == 0) {
      if (--w.columns == 0) --waiting_;
      else w.at = w.column += line, w.left = w.rows;
    }
    return taken;
  }

  wanted wanted_[most];
  int waiting_ = 0;
};

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
