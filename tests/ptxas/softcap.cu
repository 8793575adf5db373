// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A function of the score.
#include "instantiate.cuh"

namespace attend::tests {

using functor = decltype(softcap(1));
template cudaError_t launch(cudaStream_t, cuda::attention_problem<f16, f16, 3> const&, functor const&, cuda::attention_results<void, float, 3> const&);

} // namespace attend::tests
