// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rules of the language: each is one sentence, its template arguments the names and numbers of the mistake.
// A rule is instantiated only when it is broken; the operation then returns `ill_formed`, which every other swallows.
#pragma once
#include <attend/meta.hpp>

namespace attend {

// clang-format off
// The words a diagnostic shows beside the sentence.
template <class D> struct column_of_x;
template <class D> struct row_of_y;
template <class D, long X, long Y> struct extents_of_x_and_y;
template <class D, long Extent, long Parts> struct extent_and_parts;
template <class... D> struct dims_of_x;
template <class... D> struct dims_of_y;
template <class... D> struct dims_of_mask;
template <class... D> struct dims_of_expression;
template <class D> struct softmax_over;
template <class D> struct dimension_named;
template <class T> struct type_of_x;
template <class T> struct type_of_y;
template <class S> struct memory_of_x;
template <class S> struct memory_of_y;
template <class X> struct argument_given;

namespace rule {

#define ATTEND_RULE(NAME, SENTENCE)                                                                                    \
  template <class... Mistake>                                                                                          \
  struct NAME {                                                                                                        \
    static_assert(detail::never<Mistake...>, SENTENCE);                                                                \
  };

// tensors
ATTEND_RULE(extents_by_name, "a tensor requires every extent to be given by its dimension, as in 's = 128'; here it is a plain number: is a local variable hiding the dimension?")
ATTEND_RULE(dims_distinct, "a tensor requires its dimensions to be different; the second occurrence of one is written prime(s)")
ATTEND_RULE(strides_for_every_dim, "view(pointer, strides(...), dims...) requires a stride for every dimension and no other")
ATTEND_RULE(element_types, "a tensor requires elements of type float, double, bf16, f16, bool, int32_t or int64_t")
ATTEND_RULE(one_memory_space, "f(x, y) requires 'x' and 'y' to be in one memory space")

// products
ATTEND_RULE(same_inner_dim, "operator*(x, y) requires the column dim of 'x' and the row dim of 'y' to be the same dimension")
ATTEND_RULE(same_extent, "f(x, y) requires a dimension of both 'x' and 'y' to have one extent")
ATTEND_RULE(two_matrix_dims, "operator*(x, y) requires 'x' and 'y' to have a row and a column each, or one of them no matrix dims; for others write hadamard(x, y) or contract(x, y, dim)")
ATTEND_RULE(known_rows_and_columns, "operator*(x, y) requires the rows and columns of 'x' and 'y' to be known; write contract(x, y, dim), hadamard(x, y) or oriented(x, row, column)")
ATTEND_RULE(contracted_in_both, "contract(x, y, dim) requires 'x' and 'y' to have the dimension 'dim'")
ATTEND_RULE(contract_needs_dim, "contract(x, y, dims...) requires at least one dimension; without one write hadamard(x, y)")
ATTEND_RULE(numbers_in_product, "contract(x, y, dim) requires numbers; a bool tensor is a mask: masked(x, keep(m)), or where(m, a, b)")

// elementwise
ATTEND_RULE(arithmetic_on_bool, "operator+(x, y) requires numbers; a bool mask goes in by masked(x, keep(m)) or masked(x, drop(m))")
ATTEND_RULE(mask_is_no_number, "operator+(x, y) requires numbers; keep(m) and drop(m) go in by masked(x, keep(m))")
ATTEND_RULE(logic_on_bool, "operator&&(x, y) requires conditions: comparisons or bool tensors")
ATTEND_RULE(where_needs_condition, "where(c, x, y) requires 'c' to be a condition: a comparison or a bool tensor")

// masks
ATTEND_RULE(mask_with_polarity, "masked(x, m) requires 'm' to be keep(mask) or drop(mask), so that true has one meaning")
ATTEND_RULE(mask_is_condition, "keep(m) and drop(m) require 'm' to be a condition: a comparison or a bool tensor")
ATTEND_RULE(mask_within_scores, "masked(x, m) requires every dimension of 'm' to be one of 'x'; in self-attention the columns are prime(s)")
ATTEND_RULE(mask_depends_on_softmax_dim, "softmax(x, t) requires every mask in 'x' to depend on 't'; in self-attention the columns are prime(s): write rename(m, s, prime(s))")

// reductions and softmax
ATTEND_RULE(known_column, "f(x) over the column requires the rows and columns of 'x' to be known; name the dimension: f(x, t)")
ATTEND_RULE(has_dim, "f(x, dim) requires 'x' to have the dimension 'dim'")
ATTEND_RULE(reduces_numbers, "sum, mean, max, min, logsumexp and softmax require numbers; count a condition by sum(where(c, 1, 0), t)")

// views
ATTEND_RULE(transpose_needs_matrix, "transpose(x) requires the row and the column of 'x' to be known; write oriented(x, row, column)")
ATTEND_RULE(new_name_is_free, "rename(x, from, to) requires that 'x' does not have the dimension 'to' already; write prime(to)")
ATTEND_RULE(split_divides, "split(x, c, parts...) requires the extent of 'c' to be the product of its parts")
ATTEND_RULE(split_one_inferred, "split(x, c, parts...) requires an extent for every part but at most one")
ATTEND_RULE(merge_two_or_more, "merge(x, parts..., c) requires at least one dimension to merge and the name of the result")
ATTEND_RULE(within_extent, "slice(x, dim, begin, end) and at(x, dim, i) require positions within the extent of 'dim'")
ATTEND_RULE(orient_by_matrix_dims, "oriented(x, row, column) requires two different matrix dims of 'x'")

// look-ups, random numbers
ATTEND_RULE(ids_are_whole, "gather(table, ids) requires ids of type int32_t or int64_t")
ATTEND_RULE(table_has_row, "gather(table, ids) requires the dimension to look up in to be a dim of 'table' and not of 'ids'")

// evaluation
ATTEND_RULE(extent_known, "evaluate(x) requires the extent of every dimension; index(dim) alone has none: combine it with a tensor that has 'dim'")
ATTEND_RULE(into_same_dims, "evaluate(into(out), x) requires 'out' to have the dims of 'x', in any order")
ATTEND_RULE(into_writable, "evaluate(into(out), x) requires 'out' to be a tensor, or a view of elements that are not const")
ATTEND_RULE(machine_for_space, "evaluate(x) requires kernels for the memory space of 'x'")

#undef ATTEND_RULE
// clang-format on

} // namespace rule
} // namespace attend
