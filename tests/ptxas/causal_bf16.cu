// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A mask of positions.
#include "instantiate.cuh"

namespace attend::tests {

using functor = decltype(causal());
template cudaError_t launch(cudaStream_t, cuda::attention_problem<bf16, bf16, 3> const&, functor const&, cuda::attention_results<void, float, 3> const&);

} // namespace attend::tests
