// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the fused attention is given: four batches of matrices and two scales, and where else it writes.
#pragma once
#include <array>
#include <attend/kernels/isa.hpp>
#include <cstddef>

namespace attend::kernels::cpu {

/// A batch of matrices; strides in elements, of any value: 0 repeats, a negative one runs backwards.
template <class T, int Rank>
struct matrix {
  T* data;
  long batch[Rank > 0 ? Rank : 1];
  long row;
  long column;
};

/// out = output_scale * softmax over keys(score(scale * query . key)) value, for every position of the batch axes; or with
/// the scores themselves for weights.
template <class T, class Out, int B>
struct attention_problem {
  long batch[B > 0 ? B : 1];
  long rows, keys, depth, width;
  matrix<T const, B> query; // (rows, depth)
  matrix<T const, B> key;   // (keys, depth)
  matrix<T const, B> value; // (keys, width)
  matrix<Out, B> out;       // (rows, width)
  double scale;
  double output_scale;
};

/// What is written beside out: the weights as they meet the values, (rows, keys), times a number, and the log-sum-exp of
/// each row's scores, (rows); void where it is not wanted.
template <class Weight, class Sum, int B>
struct attention_results {
  matrix<Weight, B> weights;
  matrix<Sum, B> sums; // column unused
  double weights_scale = 1;
};

/// One matrix of a batch.
template <class T>
struct matrix_slice {
  T* data;
  long row;
  long column;
};

inline namespace ATTEND_DETAIL_ISA {
/// The matrix at one position of the B batch axes.
template <class T, int B>
matrix_slice<T> slice_at(matrix<T, B> const& x, long const* position) {
  long offset = 0;
  for (int i = 0; i < B; ++i) offset += x.batch[i] * position[i];
  return {x.data + offset, x.row, x.column};
}
/// The i-th position of the batch axes, the last of them running fastest.
template <std::size_t N>
std::array<long, N> position_of(long const (&batch)[N], long i) {
  std::array<long, N> position{};
  for (std::size_t axis = N; axis-- > 0;) {
    if (batch[axis] > 0) position[axis] = i % batch[axis], i /= batch[axis];
  }
  return position;
}

/// The batch as keys and values see it: of the axes along which both repeat, as over the query heads of a group, the
/// longest has extent 1 here.
template <int B>
struct key_batch {
  long extent[B > 0 ? B : 1] = {};
  long count = 1;   // positions
  int axis = -1;    // the one left out, if any
  long repeats = 1; // its extent

  template <class T, class Out>
  explicit key_batch(attention_problem<T, Out, B> const& p) {
    for (int i = 0; i < B; ++i)
      if (p.batch[i] > repeats && p.key.batch[i] == 0 && p.value.batch[i] == 0) axis = i, repeats = p.batch[i];
    for (int i = 0; i < B; ++i) count *= extent[i] = i == axis ? 1 : p.batch[i];
  }
};

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
