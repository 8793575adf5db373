// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory asked for before it is read, spread through the products so that it never comes in a burst.
#pragma once
#include <attend/kernels/cpu/simd.hpp>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Cache lines that are wanted soon, asked for a few at a time between products; what came in last is asked for first.
class lines_ahead {
public:
  /// Rows of `columns` elements; forgotten if too much is waiting.
  template <class T>
  void want(T const* first, long stride, long rows, long columns) {
    if (waiting_ == most || rows <= 0 || columns <= 0) return;
    long const step = stride * static_cast<long>(sizeof(T)), bytes = columns * static_cast<long>(sizeof(T));
    auto const at = reinterpret_cast<char const*>(first);
    if (step == bytes) wanted_[waiting_++] = {at, at, rows * bytes, 0, 1}; // rows without a gap are one long row
    else wanted_[waiting_++] = {at, at, bytes, step, rows};
  }
  /// From here on `asks` times are left to ask for all that waits, at least `least` lines each time.
  void spread_over(long asks, long least) {
    long lines = 0;
    for (int i = 0; i < waiting_; ++i) lines += wanted_[i].rows * (wanted_[i].bytes / line + 1);
    pace_ = lines > least * asks ? (lines + asks - 1) / asks : least;
  }
  void ask() { ask(pace_); }
  void ask(long lines) {
    while (lines > 0 && waiting_ > 0) {
      auto& w = wanted_[waiting_ - 1];
      long const left = (w.row + w.bytes - w.at + line - 1) / line, now = lines < left ? lines : left;
      char const* at = w.at;
      for (long i = 0; i < now; ++i, at += line) prefetch(at);
      lines -= now;
      if (now < left) w.at = at;
      else if (--w.rows == 0) --waiting_;
      else w.at = w.row += w.stride;
    }
  }

private:
  static constexpr int most = 6;
  static constexpr long line = 64;
  struct {
    char const *row, *at;
    long bytes, stride, rows;
  } wanted_[most];
  int waiting_ = 0;
  long pace_ = 0;
};

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
