// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// As many elements as (b, s, e), so that a reshape would take them: heads are merged by name, or they are none of the layer's.
#include <attend/nn/layers.hpp>
using namespace attend::dims;
using namespace attend::literals;

attend::nn::linear_parameters<(c = 768_c), (e = 768_c)> p;
auto attended = attend::zeros<float>(b = 3, n = 8_c, s = 196, d = 96_c);
// expected-error: contract(x, y, dim) requires 'x' and 'y' to have the dimension 'dim'
// expected-note: dimension_named<e>
// expected-note: dims_of_x<b,n,s,d>
auto y = attend::nn::linear(attended, p);
