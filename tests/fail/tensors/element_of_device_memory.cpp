// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;

float* device = nullptr;
auto x = attend::view<float, attend::cuda>(device, s = 4);
// expected-error: x(dims...) requires 'x' to be in host memory: copy_to(host, x)
float& element = x(s = 1);
