// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
float* device = nullptr;
auto bias = attend::view<float, attend::cuda>(device, s = 4, t = 4);
// expected-error: f(x, y) requires 'x' and 'y' to be in one memory space
// expected-note: memory_of_x<host>
// expected-note: memory_of_y<cuda>
auto scores = q * transpose(k) + bias;
