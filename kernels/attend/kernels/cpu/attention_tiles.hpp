// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The ways in and out of the fused attention: queries into transposed panels, keys and values as rows of floats,
// panels of outputs back to rows.
#pragma once
#include <attend/kernels/cpu/attention_bf16.hpp>
#include <attend/kernels/cpu/attention_problem.hpp>
#include <attend/kernels/cpu/attention_products.hpp>
#include <attend/kernels/cpu/attention_scratch.hpp>
#include <attend/kernels/cpu/lane_axis.hpp>
#include <attend/op.hpp>
#include <algorithm>

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

/// The same of elements that become floats on their way.
template <half_precision T>
[[gnu::always_inline]] inline void load_transposed(T const* from, long row, vec* to) {
#pragma GCC unroll 16
  for (int i = 0; i < lanes; ++i) to[i] = load(from + i * row);
  transpose(to);
}

/// panel (depth, panel_rows) = scale * the transpose of `count` <= panel_rows rows; zeros where there is no row.
template <class T>
void load_panel(matrix_slice<T const> const& query, long first, long count, long depth, float scale, float* panel) {
  vec const factor(scale);
  for (int v = 0; v < tuning.vectors; ++v) {
    int const n = count > v * lanes ? at_most_lanes(count - v * lanes) : 0;
    T const* const corner = query.data + (n > 0 ? (first + v * lanes) * query.row : 0);
    float* const to = panel + v * lanes;
    if (n == lanes && query.row == 1) { // as it lies there
      for (long d = 0; d < depth; ++d) store(to + d * panel_rows, load(corner + d * query.column) * factor);
      continue;
    }
    for (long d = 0; d < depth; d += lanes) {
      int const wide = at_most_lanes(depth - d);
      vec square[lanes];
      if (n == lanes && wide == lanes && query.column == 1) { // the usual square, without a branch
        load_transposed(corner + d, query.row, square);
#pragma GCC unroll 16
        for (int k = 0; k < lanes; ++k) store(to + (d + k) * panel_rows, square[k] * factor);
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

#ifdef ATTEND_DETAIL_BF16_PAIRS
/// Rows of a square of pairs: from (2 lanes, panel_rows) times factor, turned.
inline void store_pairs(float const* from, vec factor, bf16* to, long row) {
  alignas(64) std::uint32_t square[lanes * lanes];
#pragma GCC unroll 16
  for (int k = 0; k < lanes; ++k)
    store(square + k * lanes, machine::to_pairs((load(from + 2 * k * panel_rows) * factor).raw, (load(from + (2 * k + 1) * panel_rows) * factor).raw));
  pairs row_of[lanes];
  load_transposed(square, lanes * static_cast<long>(sizeof *square), row_of);
#pragma GCC unroll 16
  for (int i = 0; i < lanes; ++i) store(to + i * row, row_of[i]);
}
#endif

/// The most columns whose rows are made of columns by fewer shuffles than a square's transpose takes.
inline constexpr int most_narrow = std::min(8, lanes - 1);
/// lines (Columns, lanes) = `lanes` rows, one behind another, of from (Columns, panel_rows) times factor.
template <int Columns>
[[gnu::noinline]] void lines_of_narrow(float const* from, vec factor, float* lines) {
  vec column[Columns];
  for (int e = 0; e < Columns; ++e) column[e] = load(from + e * panel_rows) * factor;
  [&]<int... Line>(std::integer_sequence<int, Line...>) {
    (store(lines + Line * lanes, line_of<Line>(column)), ...);
  }(std::make_integer_sequence<int, Columns>{});
}
inline void lines_of_narrow(float const* from, long columns, vec factor, float* lines) {
  [&]<int... Less>(std::integer_sequence<int, Less...>) {
    static_cast<void>(((columns == Less + 2 && (lines_of_narrow<Less + 2>(from, factor, lines), true)) || ...));
  }(std::make_integer_sequence<int, most_narrow - 1>{});
}

/// out rows `first` ... `first + count` = the transpose of from (columns, panel_rows), each row times its factor. Past the
/// caches where Streamed says so and neighbours make whole vectors.
template <bool Streamed = false, class Out>
void store_panel(float const* from, long columns, vec const (&factor)[tuning.vectors], matrix_slice<Out> const& out,
                 long first, long count) {
  auto const put = [](Out* to, vec x) {
    if constexpr (Streamed) stream(to, x);
    else store(to, x);
  };
  float factor_of_row[panel_rows];
  for (int v = 0; v < tuning.vectors; ++v) store(factor_of_row + v * lanes, factor[v]);
  for (int v = 0; v < tuning.vectors && count > v * lanes; ++v) {
    int const n = at_most_lanes(count - v * lanes);
    Out* const corner = out.data + (first + v * lanes) * out.row;
    if (out.column == 1 && out.row == columns && columns > 1 && columns <= most_narrow) { // rows without a gap are one line
      alignas(64) float lines[most_narrow * lanes];
      lines_of_narrow(from + v * lanes, columns, factor[v], lines);
      long const elements = n * columns, whole = elements / lanes * lanes;
      for (long i = 0; i < whole; i += lanes) put(corner + i, load(lines + i));
      if (whole < elements) store(corner + whole, load(lines + whole), static_cast<int>(elements - whole));
      continue;
    }
    for (long e = 0; e < columns; e += lanes) {
      int const wide = at_most_lanes(columns - e);
      float const* const here = from + e * panel_rows + v * lanes;
#ifdef ATTEND_DETAIL_BF16_PAIRS
      if constexpr (std::is_same_v<Out, bf16>)
        if (n == lanes && columns - e >= 2 * lanes && out.column == 1) { // two squares at once
          store_pairs(here, factor[v], corner + e, out.row);
          e += lanes;
          continue;
        }
#endif
      vec square[lanes];
      if (n == lanes && wide == lanes && out.column == 1) { // the usual square, without a branch
        load_transposed(here, panel_rows, square);
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) store(corner + i * out.row + e, square[i] * vec(factor_of_row[v * lanes + i]));
        continue;
      }
      if (n == lanes && out.row == 1) { // as it lies here
        for (int k = 0; k < wide; ++k) put(corner + (e + k) * out.column, load(here + k * panel_rows) * factor[v]);
        continue;
      }
#pragma GCC unroll 16
      for (int k = 0; k < lanes; ++k) square[k] = load(here + std::min(k, wide - 1) * panel_rows) * factor[v]; // the last again, rather than a branch
      if (out.column == 1) {
        transpose(square);
        // rows without a gap: what one vector writes too much the panel's next rows write over
        bool const one_behind_another = out.row == columns && columns < lanes;
        long const whole = wide == lanes ? n : one_behind_another ? count - v * lanes - (lanes - 1) / columns : 0;
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i)
          if (i < n && i < whole) store(corner + i * out.row + e, square[i]);
          else if (i < n) store(corner + i * out.row + e, square[i], wide);
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
