// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto gain = attend::normal<float>(d = 8_c);
// expected-error: operator*(x, y) requires 'x' and 'y' to have a row and a column each, or one of them no matrix dims; for others write hadamard(x, y) or contract(x, y, dim)
// expected-note: dims_of_x<b,s,d>
// expected-note: dims_of_y<d>
auto scaled = q * gain;
