// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
// expected-error: rename(x, from, to) and merge(x, parts..., to) require that 'x' does not have the dimension 'to' already; write prime(to)
// expected-note: dimension_named<b>
// expected-note: dims_of_x<b,s,d>
auto x = merge(q, s, d, b);
