// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// In place of cuBLASLt: the product as its description says, element by element.
#pragma once
#include <attend/kernels/cuda/matrix_product.hpp>
#include <attend/kernels/numbers.hpp>
#include <cuda_runtime.h>

namespace attend::emulator {
inline long matrix_products = 0, finished_products = 0; ///< since they were last set to 0
}

namespace attend::kernels::cuda {

struct product_status {
  enum { done, not_taken, failed } is;
  char const* call;
  char const* why;
};

namespace detail {
inline float number_at(product_matrix const& m, std::int64_t offset) {
  if (m.type == data_type::bf16) return load_number<float>(static_cast<bf16 const*>(m.data)[offset]);
  if (m.type == data_type::f16) return load_number<float>(static_cast<f16 const*>(m.data)[offset]);
  return static_cast<float const*>(m.data)[offset];
}
inline std::int64_t offset_in(product_matrix const& m, std::int64_t row, std::int64_t column, std::int64_t batch) {
  return (m.transposed ? row * m.leading + column : column * m.leading + row) + batch * m.batch;
}
} // namespace detail

inline product_status multiply(cudaStream_t, matrix_product const& g) {
  using contraction::detail::axis;
  ++emulator::matrix_products;
  emulator::finished_products += g.finished;
  for (std::int64_t turn = 0; turn < g.loops.size(); ++turn) {
    auto const shift = [&](contraction::detail::stride_of of) { return g.loops.offset(turn, of); };
    for (std::int64_t n = 0; n < g.batches; ++n)
      for (std::int64_t i = 0; i < g.rows; ++i)
        for (std::int64_t j = 0; j < g.columns; ++j) {
          float sum = 0;
          for (std::int64_t k = 0; k < g.depth; ++k)
            sum += detail::number_at(g.a, detail::offset_in(g.a, i, k, n) + shift(&axis::y)) * detail::number_at(g.b, detail::offset_in(g.b, k, j, n) + shift(&axis::x));
          float x = g.scale * sum;
          if (g.c.data) x += detail::number_at(g.c, detail::offset_in(g.c, i, j, n) + shift(g.added_by));
          if (g.bias) x += detail::number_at({g.bias, g.d.type}, i);
          if (g.function == activation::relu) x = x > 0 ? x : 0;
          if (g.function == activation::gelu_tanh) x = x / 2 * (1 + std::tanh(0.7978845608f * (x + 0.044715f * x * x * x)));
          std::int64_t const to = detail::offset_in(g.d, i, j, n) + shift(&axis::out);
          void* const d = const_cast<void*>(g.d.data);
          if (g.d.type == data_type::bf16) static_cast<bf16*>(d)[to] = store_number<bf16>(x);
          else if (g.d.type == data_type::f16) static_cast<f16*>(d)[to] = store_number<f16>(x);
          else static_cast<float*>(d)[to] = x;
        }
  }
  return {product_status::done, "", ""};
}

} // namespace attend::kernels::cuda
