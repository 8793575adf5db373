// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A contraction as cuBLASLt takes it: one product of column-major matrices for each position of a batch, and a few such
// products in turn where the batch has several axes. Which of them it can express is decided here, without the library.
#pragma once
#include <attend/kernels/contraction/axes.hpp>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {

using contraction::activation;
using contraction::data_type;

/// A column-major matrix, stored transposed or not, for each position of the batch.
struct product_matrix {
  void const* data = nullptr;
  data_type type{};
  bool transposed = false;
  std::int64_t leading = 1, batch = 0; ///< elements from column to column as stored, and from one matrix to the next
};
/// d (rows, columns) = function(scale a (rows, depth) b (depth, columns) + c + bias (rows)).
struct matrix_product {
  std::int64_t rows = 1, columns = 1, depth = 1, batches = 1;
  product_matrix a, b, c, d;    ///< c without data: none
  void const* bias = nullptr;   ///< of d's type
  activation function = activation::none;
  float scale = 1;
  bool finished = true; ///< else bias, function and residual are left to the caller
  /// Further axes of the batch: the same product at these offsets, c's being those of `added_by`.
  contraction::detail::axis_list loops;
  contraction::detail::stride_of added_by = &contraction::detail::axis::residual;
};

namespace detail {

/// A matrix of `rows` by `columns` whose elements are so far apart, as one that is stored by columns or by rows.
inline bool lies_as_matrix(product_matrix& m, std::int64_t rows, std::int64_t columns, std::int64_t row, std::int64_t column) {
  if ((rows == 1 || row == 1) && (columns == 1 || column >= rows)) m.transposed = false, m.leading = columns == 1 ? rows : column;
  else if ((columns == 1 || column == 1) && (rows == 1 || row >= columns)) m.transposed = true, m.leading = rows == 1 ? columns : row;
  else return false;
  return true;
}

} // namespace detail

/// The most products in turn: beyond, one kernel of our own is faster.
inline constexpr std::int64_t most_products_in_turn = 64;

/// The product that a contraction is; false where it is none, as with two dims summed over that do not lie behind one
/// another.
[[gnu::cold]] inline bool as_matrix_product(contraction::problem const& p, matrix_product& g) {
  using contraction::detail::axis;
  if (p.sums != data_type::f32 || p.x.type != p.y.type || (p.out.type != p.x.type && p.out.type != data_type::f32)) return false;
  auto s = contraction::detail::sort_axes(p);
  if (s.empty || s.nothing_to_sum || s.depths.count > 1) return false;
  // d is (columns, rows) of the contraction: its columns lie together
  axis column, row, depth;
  if (s.columns.count > 0) {
    int at = 0;
    while (at < s.columns.count && s.columns.at[at].out != 1) ++at;
    if (at == s.columns.count) return false;
    column = s.columns.take(at);
  }
  if (s.rows.count > 0) row = s.rows.take(s.rows.count - 1);
  if (s.depths.count > 0) depth = s.depths.at[0];
  // what is left of rows and columns repeats the other operand
  auto& batches = s.batches;
  for (auto const* list : {&s.rows, &s.columns})
    for (axis const& a : *list) batches.add(a);
  axis batch;
  if (batches.count > 0) {
    int longest = 0;
    for (int i = 1; i < batches.count; ++i)
      if (batches.at[i].extent > batches.at[longest].extent) longest = i;
    batch = batches.take(longest);
  }
  if (batches.size() > most_products_in_turn) return false;
  g.loops = batches;
  g.rows = column.extent, g.columns = row.extent, g.depth = depth.extent, g.batches = batch.extent;
  g.a = {s.swapped ? p.x.data : p.y.data, p.x.type, false, 1, batch.y};
  g.b = {s.swapped ? p.y.data : p.x.data, p.x.type, false, 1, batch.x};
  g.d = {p.out.data, p.out.type, false, 1, batch.out};
  if (!detail::lies_as_matrix(g.a, g.rows, g.depth, column.y, depth.y)) return false;
  if (!detail::lies_as_matrix(g.b, g.depth, g.columns, depth.x, row.x)) return false;
  if (!detail::lies_as_matrix(g.d, g.rows, g.columns, column.out, row.out) || g.d.transposed) return false;
  for (std::int64_t stride : {batch.x, batch.y, batch.out})
    if (stride < 0) return false;

  auto const& f = p.finish;
  g.scale = static_cast<float>(f.scale);
  auto const same_everywhere = [&](contraction::detail::stride_of of) {
    for (axis const& a : g.loops)
      if (a.*of != 0) return false;
    return row.*of == 0 && batch.*of == 0;
  };
  // what is added and is no vector is a matrix, whatever it is called
  bool const bias_is_vector = f.bias.data && f.bias.type == p.out.type && same_everywhere(&axis::bias) && (g.rows == 1 || column.bias == 1);
  contraction::operand const* const matrix = f.residual.data ? &f.residual : f.bias.data && !bias_is_vector ? &f.bias : nullptr;
  g.added_by = matrix == &f.bias ? &axis::bias : &axis::residual;
  bool const bias_fits = !f.bias.data || bias_is_vector || matrix == &f.bias;
  bool const function_fits = f.function == activation::none || f.function == activation::relu || f.function == activation::gelu_tanh;
  bool matrix_fits = !matrix;
  if (matrix && matrix->type == p.out.type && f.function == activation::none) {
    g.c = {matrix->data, matrix->type, false, 1, batch.*g.added_by};
    matrix_fits = detail::lies_as_matrix(g.c, g.rows, g.columns, column.*g.added_by, row.*g.added_by) && !g.c.transposed && g.c.batch >= 0;
  }
  g.finished = bias_fits && function_fits && matrix_fits;
  if (g.finished) g.bias = bias_is_vector ? f.bias.data : nullptr, g.function = f.function;
  else g.c = {};
  return true;
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
