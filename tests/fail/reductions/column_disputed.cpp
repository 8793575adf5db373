// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto x = attend::normal<float>(s = 4, d = 4);
auto y = attend::normal<float>(d = 4, s = 4);
// expected-error: f(x) over the column requires the rows and columns of 'x' to be known; name the dimension: f(x, t)
// expected-note: dims_of_x<s,d>
auto total = sum(x + y);
