// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/nn/layers.hpp>
using namespace attend::dims;
using namespace attend::literals;

attend::nn::linear_parameters<(f = 8_c), (c = 4_c)> p;
auto context = attend::normal<float>(b = 2, t = 20, c = 77_c);
// expected-error: f(x, y) requires a dimension of both
// expected-note: extents_of_x_and_y<c, 77, 4>
auto y = attend::nn::linear(context, p);
