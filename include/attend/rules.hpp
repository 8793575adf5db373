// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rules of the language: each is one sentence, its template arguments the names and numbers of the mistake.
// A rule is instantiated only when it is broken, by the very operation that the user called: the compiler then leads from
// the sentence to the user's line in three steps. The operation returns `ill_formed`, which every other swallows.
// No macro makes them: each compiler would lead through it.
#pragma once
#include <attend/meta.hpp>

namespace attend {

// clang-format off
// The words a diagnostic shows beside the sentence.
template <class D> struct column_of_x;
template <class D> struct row_of_y;
template <class D, long X, long Y> struct extents_of_x_and_y;
template <class D, long Extent, long Parts> struct extent_and_parts;
template <class D, long Extent, long... Positions> struct extent_and_positions;
template <class... D> struct dims_of_x;
template <class... D> struct dims_of_y;
template <class... D> struct dims_of_mask;
template <class... D> struct dims_of_strides;
template <class... D> struct dims_of_result;
template <int N> struct rank_of_mdspan;
template <class... D> struct dims_of_expression;
template <class D> struct softmax_over;
template <class... D> struct dimension_named;
template <class T> struct type_of_x;
template <class T> struct type_of_y;
template <class S> struct memory_of_x;
template <class S> struct memory_of_y;
template <class X> struct argument_given;

namespace rule {

// tensors
template <class... M> struct extents_by_name { static_assert(detail::never<M...>, "a tensor requires every extent to be given by its dimension, as in 's = 128'; here it is a plain number: is a local variable hiding the dimension?"); };
template <class... M> struct dims_distinct { static_assert(detail::never<M...>, "a tensor requires its dimensions to be different; the second occurrence of one is written prime(s)"); };
template <class... M> struct strides_for_every_dim { static_assert(detail::never<M...>, "view(pointer, strides(...), dims...) requires a stride for every dimension and no other"); };
template <class... M> struct element_types { static_assert(detail::never<M...>, "a tensor requires elements of type float, double, bf16, f16, bool, int32_t or int64_t"); };
template <class... M> struct one_memory_space { static_assert(detail::never<M...>, "f(x, y) requires 'x' and 'y' to be in one memory space"); };

template <class... M> struct dims_by_name { static_assert(detail::never<M...>, "f(x, dims...) requires dimensions by name, as in 'softmax(x, t)'; here is something else: is a local variable hiding the dimension?"); };
template <class... M> struct whole_extent { static_assert(detail::never<M...>, "a dimension requires a whole number as its extent, as in 's = 128' or 's = 128_c'"); };
template <class... M> struct random_floats { static_assert(detail::never<M...>, "normal<T>(dims...) and uniform<T>(dims...) require 'T' to be float, double, bf16 or f16"); };
template <class... M> struct names_for_every_dim { static_assert(detail::never<M...>, "view(mdspan, dims...) requires a name for every dimension of the mdspan"); };

// products
template <class... M> struct same_inner_dim { static_assert(detail::never<M...>, "operator*(x, y) requires the column dim of 'x' and the row dim of 'y' to be the same dimension"); };
template <class... M> struct same_extent { static_assert(detail::never<M...>, "f(x, y) requires a dimension of both 'x' and 'y' to have one extent"); };
template <class... M> struct two_matrix_dims { static_assert(detail::never<M...>, "operator*(x, y) requires 'x' and 'y' to have a row and a column each, or one of them no matrix dims; for others write hadamard(x, y) or contract(x, y, dim)"); };
template <class... M> struct known_rows_and_columns { static_assert(detail::never<M...>, "operator*(x, y) requires the rows and columns of 'x' and 'y' to be known; write contract(x, y, dim), hadamard(x, y) or oriented(x, row, column)"); };
template <class... M> struct contracted_in_both { static_assert(detail::never<M...>, "contract(x, y, dim) requires 'x' and 'y' to have the dimension 'dim'"); };
template <class... M> struct contract_needs_dim { static_assert(detail::never<M...>, "contract(x, y, dims...) requires at least one dimension; without one write hadamard(x, y)"); };
template <class... M> struct numbers_in_product { static_assert(detail::never<M...>, "contract(x, y, dim) requires numbers; a bool tensor is a mask: masked(x, keep(m)), or where(m, a, b)"); };

// elementwise
template <class... M> struct arithmetic_on_bool { static_assert(detail::never<M...>, "f(x, y) requires numbers; a bool mask goes in by masked(x, keep(m)) or masked(x, drop(m))"); };
template <class... M> struct mask_is_no_number { static_assert(detail::never<M...>, "f(x, y) requires numbers; keep(m) and drop(m) go in by masked(x, keep(m))"); };
template <class... M> struct logic_on_bool { static_assert(detail::never<M...>, "operator&&(x, y) requires conditions: comparisons or bool tensors"); };
template <class... M> struct where_needs_condition { static_assert(detail::never<M...>, "where(c, x, y) requires 'c' to be a condition: a comparison or a bool tensor"); };

// masks
template <class... M> struct mask_with_polarity { static_assert(detail::never<M...>, "masked(x, m) requires 'm' to be keep(mask) or drop(mask), so that true has one meaning"); };
template <class... M> struct mask_is_condition { static_assert(detail::never<M...>, "keep(m) and drop(m) require 'm' to be a condition: a comparison or a bool tensor"); };
template <class... M> struct mask_within_scores { static_assert(detail::never<M...>, "masked(x, m) requires every dimension of 'm' to be one of 'x'; in self-attention the columns are prime(s)"); };
template <class... M> struct mask_depends_on_softmax_dim { static_assert(detail::never<M...>, "softmax(x, t) requires every mask in 'x' to depend on 't'; in self-attention the columns are prime(s): write rename(m, s, prime(s))"); };

// reductions and softmax
template <class... M> struct known_column { static_assert(detail::never<M...>, "f(x) over the column requires the rows and columns of 'x' to be known; name the dimension: f(x, t)"); };
template <class... M> struct has_dim { static_assert(detail::never<M...>, "f(x, dim) requires 'x' to have the dimension 'dim'"); };
template <class... M> struct reduces_numbers { static_assert(detail::never<M...>, "sum, mean, max, min, logsumexp and softmax require numbers; count a condition by sum(where(c, 1, 0), t)"); };

// views
template <class... M> struct transpose_needs_matrix { static_assert(detail::never<M...>, "transpose(x) requires the row and the column of 'x' to be known; write oriented(x, row, column)"); };
template <class... M> struct new_name_is_free { static_assert(detail::never<M...>, "rename(x, from, to) and merge(x, parts..., to) require that 'x' does not have the dimension 'to' already; write prime(to)"); };
template <class... M> struct split_divides { static_assert(detail::never<M...>, "split(x, c, parts...) requires the extent of 'c' to be the product of its parts"); };
template <class... M> struct split_by_parts { static_assert(detail::never<M...>, "split(x, c, parts...) requires two parts or more, each a dimension or its extent by name, as in 'n = 8'"); };
template <class... M> struct split_one_inferred { static_assert(detail::never<M...>, "split(x, c, parts...) requires an extent for every part but at most one"); };
template <class... M> struct merge_two_or_more { static_assert(detail::never<M...>, "merge(x, parts..., c) requires at least one dimension to merge and the name of the result"); };
template <class... M> struct within_extent { static_assert(detail::never<M...>, "slice(x, dim, begin, end) and at(x, dim, i) require positions within the extent of 'dim'"); };
template <class... M> struct orient_by_matrix_dims { static_assert(detail::never<M...>, "oriented(x, row, column) requires two different matrix dims of 'x'"); };

// look-ups, random numbers
template <class... M> struct offsets_are_one_list { static_assert(detail::never<M...>, "sequence_of(t, offsets) requires offsets of one dimension and of type int32_t or int64_t"); };
template <class... M> struct ids_are_whole { static_assert(detail::never<M...>, "gather(table, ids) requires ids of type int32_t or int64_t"); };
template <class... M> struct table_has_row { static_assert(detail::never<M...>, "gather(table, ids) requires the dimension to look up in to be a dim of 'table' and not of 'ids'"); };

// layers
template <class... M> struct layer_makes_its_dim { static_assert(detail::never<M...>, "linear(x, p) requires 'x' to lack the output dimension of 'p', which the layer makes"); };

// evaluation
template <class... M> struct extent_known { static_assert(detail::never<M...>, "evaluate(x) requires the extent of every dimension; index(dim) alone has none: combine it with a tensor that has 'dim'"); };
template <class... M> struct into_same_dims { static_assert(detail::never<M...>, "evaluate(into(out), x) requires 'out' to have the dims of 'x', in any order"); };
template <class... M> struct into_writable { static_assert(detail::never<M...>, "evaluate(into(out), x) requires 'out' to be a tensor, or a view of elements that are not const"); };
template <class... M> struct stream_for_device_memory { static_assert(detail::never<M...>, "evaluate(on(stream), x) requires 'x' to be in device memory"); };
template <class... M> struct machine_for_space { static_assert(detail::never<M...>, "evaluate(x) requires kernels for the memory space of 'x'; for device memory include <attend/cuda.cuh> and compile by nvcc"); };

// clang-format on

} // namespace rule
} // namespace attend
