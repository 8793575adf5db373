// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The ways in and out of the fused attention: queries into transposed panels, keys and values as rows of floats,
// panels of outputs back to rows.
#pragma once
#include <attend/kernels/cpu/attention_problem.hpp>
#include <attend/kernels/cpu/attention_products.hpp>
#include <attend/kernels/cpu/attention_scratch.hpp>
#include <attend/kernels/cpu/lane_axis.hpp>
#include <attend/op.hpp>

#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675 // its front end knows no `GCC unroll`; the host compiler behind it does
#endif

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

inline int at_most_lanes(long n) { return static_cast<int>(n < lanes ? n : lanes); }

/// Wants `count` rows of a matrix soon, if their elements lie side by side.
template <class T>
void want_rows(lines_ahead& ahead, matrix_slice<T> const& x, long first, long count, long columns) {
  if (x.column == 1) ahead.want(x.data + first * x.row, x.row, count, columns);
}

/// panel (depth, panel_rows) = scale * the transpose of `count` <= panel_rows rows; zeros where there is no row.
template <class T>
void load_panel(matrix_slice<T const> const& query, long first, long count, long depth, float scale, float* panel) {
  vec const factor(scale);
  for (int v = 0; v < tuning.vectors; ++v) {
    int const n = count > v * lanes ? at_most_lanes(count - v * lanes) : 0;
    T const* const corner = query.data + (n > 0 ? (first + v * lanes) * query.row : 0);
    float* const to = panel + v * lanes;
    for (long d = 0; d < depth; d += lanes) {
      int const wide = at_most_lanes(depth - d);
      vec square[lanes];
      if (n == lanes && wide == lanes && query.column == 1) { // the usual square, without a branch
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) square[i] = load(corner + i * query.row + d) * factor;
        transpose(square);
#pragma GCC unroll 16
        for (int k = 0; k < lanes; ++k) store(to + (d + k) * panel_rows, square[k]);
        continue;
      }
      for (int k = 0; k < wide; ++k)
        square[k] = n > 0 ? load_lanes(corner + (d + k) * query.column, query.row, n) : vec(0.0f);
      for (int k = 0; k < wide; ++k) store(to + (d + k) * panel_rows, square[k] * factor);
    }
  }
}

/// Rows `first` ... `first + rows` as floats side by side: as they lie if they are, else converted into `buffer`.
template <class T>
tile_view load_tile(matrix_slice<T const> const& from, long first, long rows, long columns, float* buffer) {
  T const* const corner = from.data + first * from.row;
  if constexpr (std::is_same_v<T, float>)
    if (from.column == 1 || columns <= 1) return {corner, from.row};
  if (from.column == 1 || columns <= 1 || from.row != 1)
    for (long i = 0; i < rows; ++i)
      for (long j = 0; j < columns; j += lanes) {
        int const n = at_most_lanes(columns - j);
        vec const x = load_lanes(corner + i * from.row + j * from.column, from.column, n);
        if (n == lanes) store(buffer + i * columns + j, x);
        else store(buffer + i * columns + j, x, n);
      }
  else
    for (long i = 0; i < rows; i += lanes) // neighbours are rows: turn squares
      for (long j = 0; j < columns; j += lanes) {
        int const n = at_most_lanes(columns - j), m = at_most_lanes(rows - i);
        vec square[lanes];
        for (int k = 0; k < lanes; ++k) square[k] = k < n ? load_lanes(corner + i + (j + k) * from.column, 1, m) : vec(0.0f);
        transpose(square);
        for (int k = 0; k < m; ++k)
          if (n == lanes) store(buffer + (i + k) * columns + j, square[k]);
          else store(buffer + (i + k) * columns + j, square[k], n);
      }
  return {buffer, columns};
}

/// mean (width) of all rows of a matrix; zeros if there is none.
template <class T>
[[gnu::noinline]] void mean_of_rows(matrix_slice<T const> const& from, long rows, long width, float* mean) {
  for (long e = 0; e < width; ++e) {
    double sum = 0;
    for (long t = 0; t < rows; ++t) sum += load_number<double>(from.data[t * from.row + e * from.column]);
    mean[e] = rows > 0 ? static_cast<float>(sum / static_cast<double>(rows)) : 0.0f;
  }
}

/// out = scale * panel^T / sum, for the rows of `range`; what a row with nothing kept holds is Empty's to say.
template <class Empty, class Out, class T, int B>
void store_panel(panel_state const& panel, matrix_slice<T const> const& value, long keys, long width, float scale,
                 float* mean, matrix_slice<Out> const& out, row_range<B> const& range) {
  for (int v = 0; v < tuning.vectors && range.count > v * lanes; ++v) {
    int const n = at_most_lanes(range.count - v * lanes);
    vec const total = load(panel.sum + v * lanes), factor = vec(scale) / total;
    mask const empty = total == vec(0.0f);
    bool const some_empty = any(empty);
    if (std::is_same_v<Empty, empty_row::uniform_t> && some_empty) mean_of_rows(value, keys, width, mean);
    Out* const corner = out.data + (range.first + v * lanes) * out.row;
    float const* const from = panel.output + v * lanes;
    for (long e = 0; e < width; e += lanes) {
      int const wide = at_most_lanes(width - e);
      vec square[lanes];
      if (n == lanes && wide == lanes && out.column == 1 && !some_empty) { // the usual square, without a branch
#pragma GCC unroll 16
        for (int k = 0; k < lanes; ++k) square[k] = load(from + (e + k) * panel_rows) * factor;
        transpose(square);
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) store(corner + i * out.row + e, square[i]);
        continue;
      }
      for (int k = 0; k < lanes; ++k) {
        vec fill(0.0f);
        if constexpr (std::is_same_v<Empty, empty_row::nan_t>)
          if (keys > 0) fill = vec(__builtin_nanf("")); // a sum over no keys at all is zero
        if constexpr (std::is_same_v<Empty, empty_row::uniform_t>)
          if (some_empty && k < wide) fill = vec(mean[e + k] * scale);
        square[k] = k < wide ? select(empty, fill, load(from + (e + k) * panel_rows) * factor) : vec(0.0f);
      }
      if (out.column == 1) {
        transpose(square);
        for (int i = 0; i < n; ++i)
          if (wide == lanes) store(corner + i * out.row + e, square[i]);
          else store(corner + i * out.row + e, square[i], wide);
      } else {
        for (int k = 0; k < wide; ++k)
          for (int i = 0; i < n; ++i) corner[i * out.row + (e + k) * out.column] = store_number<Out>(square[k][i]);
      }
    }
  }
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
