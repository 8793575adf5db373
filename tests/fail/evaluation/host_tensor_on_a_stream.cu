// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/cuda.cuh>
using namespace attend::dims;

auto x = attend::ones<float>(s = 4);
// expected-error: evaluate(on(stream), x) requires 'x' to be in device memory
// expected-note: memory_of_x<host>
auto y = evaluate(attend::on(cudaStream_t{}), exp(x));
