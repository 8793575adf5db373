// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A mask and a bias with a slope for each head.
#include "instantiate.cuh"

namespace attend::tests {

using functor = decltype(window(0, 0, alibi(nullptr, 0)));
template cudaError_t launch(cudaStream_t, cuda::attention_problem<bf16, bf16, 3> const&, functor const&, cuda::attention_results<void, float, 3> const&);

} // namespace attend::tests
