// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A bias in f32, so that the result is of f32, for which weights are not rounded to 16 bits.
#include "instantiate.cuh"

namespace attend::tests {

using functor = decltype(alibi(nullptr, 0));
template cudaError_t launch(cudaStream_t, cuda::attention_problem<bf16, float, 3> const&, functor const&, cuda::attention_results<void, float, 3> const&);

} // namespace attend::tests
