// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto chosen = attend::ones<bool>(t = 4, d = 8_c);
// expected-error: contract(x, y, dim) requires numbers; a bool tensor is a mask: masked(x, keep(m)), or where(m, a, b)
// expected-note: dims_of_x<b,s,t>
// expected-note: dims_of_y<t,d>
auto picked = softmax(q * transpose(k)) * chosen;
