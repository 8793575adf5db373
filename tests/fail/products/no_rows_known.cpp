// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
// expected-error: operator*(x, y) requires the rows and columns of 'x' and 'y' to be known; write contract(x, y, dim), hadamard(x, y) or oriented(x, row, column)
// expected-note: dims_of_x<b,s,t>
// expected-note: dims_of_y<b,t,s>
auto squares = contract(q, k, d) * contract(k, q, d);
