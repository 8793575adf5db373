// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/nn/layers.hpp>
using namespace attend::dims;
using namespace attend::literals;

attend::nn::linear_parameters<(f = 8_c), (c = 4_c)> p;
auto x = attend::normal<float>(b = 2, f = 8_c, c = 4_c);
// expected-error: linear(x, p) requires 'x' to lack the output dimension of 'p', which the layer makes
// expected-note: dimension_named<f>
auto y = attend::nn::linear(x, p);
