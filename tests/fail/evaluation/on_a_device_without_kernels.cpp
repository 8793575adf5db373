// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/attend.hpp>
using namespace attend::dims;
using namespace attend::literals;

float* device = nullptr;
auto x = attend::view<float, attend::cuda>(device, s = 4, d = 8_c);
// expected-error: evaluate(x) requires kernels for the memory space of 'x'; for device memory include <attend/cuda.cuh> and compile by nvcc
// expected-note: memory_of_x<cuda>
auto y = evaluate(exp(x));
