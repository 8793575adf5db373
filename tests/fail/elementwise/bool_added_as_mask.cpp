// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto mask = attend::ones<bool>(b = 2, t = 4);
// expected-error: f(x, y) requires numbers; a bool mask goes in by masked(x, keep(m)) or masked(x, drop(m))
// expected-note: dims_of_y<b,t>
auto weights = softmax(q * transpose(k) + mask);
