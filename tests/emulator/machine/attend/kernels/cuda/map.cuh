// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// In place of Thrust's pass on a device: what each of its threads does, in turn.
#pragma once
#include <attend/kernels/cuda/map.hpp>
#include <cuda_runtime.h>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {

template <class N, class T, int R, class F>
cudaError_t map(cudaStream_t, strided<T, R> const& out, F const& f) {
  long count = 0;
  auto const writer = writer_of<N>(out, f, count);
  for (long i = 0; i < count; ++i) writer(i);
  return cudaSuccess;
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
