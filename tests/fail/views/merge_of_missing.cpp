// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
// expected-error: f(x, dim) requires 'x' to have the dimension 'dim'
// expected-note: dimension_named<n>
// expected-note: dims_of_x<b,s,d>
auto x = merge(q, n, d, c);
