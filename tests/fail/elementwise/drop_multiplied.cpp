// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto mask = attend::ones<bool>(b = 2, t = 4);
// expected-error: f(x, y) requires numbers; keep(m) and drop(m) go in by masked(x, keep(m))
// expected-note: dims_of_x<b,s,t>
// expected-note: dims_of_mask<b,t>
auto weights = softmax(q * transpose(k)) * drop(mask);
