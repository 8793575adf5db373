// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An elementwise functor written to every position of a result on a device: one pass of Thrust, without temporaries.
#pragma once
#include <attend/kernels/cuda/map.hpp>
#include <cuda_runtime.h>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/system/cuda/execution_policy.h>
#include <thrust/system_error.h>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {

/// out[at] = f(at) at every position, floating parts in N, float or double; asynchronous. out may be any of f's operands
/// whose elements it replaces one for one.
template <class N, class T, int R, class F>
cudaError_t map(cudaStream_t stream, strided<T, R> const& out, F const& f) {
  long count = 0;
  auto const writer = writer_of<N>(out, f, count);
  if (count == 0) return cudaSuccess;
  try {
    ::thrust::for_each_n(::thrust::cuda::par_nosync.on(stream), ::thrust::counting_iterator<long>(0), count, writer);
  } catch (::thrust::system_error const& e) {
    return static_cast<cudaError_t>(e.code().value());
  }
  return cudaSuccess;
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
