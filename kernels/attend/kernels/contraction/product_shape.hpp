// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A matrix product as data: what a prepared product is asked for.
#pragma once
#include <attend/kernels/contraction/problem.hpp>
#include <optional>

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail {

// One matrix among the operands of a product: groups x rows x columns, with strides. A group stride of 0 says that all
// groups share one matrix.
struct matrix {
  data_type type = data_type::f32;
  std::int64_t group_stride = 0, row_stride = 0, column_stride = 0;
};

// A shape of product: out = function(scale * x * y + bias) + residual, or out += x * y.
struct product_shape {
  std::int64_t groups = 1, rows = 0, columns = 0, depth = 0; // groups of 1 are left out of oneDNN's descriptors
  matrix x, y, out;
  bool accumulate = false;
  float scale = 1;
  activation function = activation::none;
  std::optional<data_type> bias;     // one number for each column
  std::optional<matrix> residual;
  bool reference_will_do = false;    // also take oneDNN's unoptimised implementation
};

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail
