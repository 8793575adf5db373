// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 16_c);
// expected-error: f(x, y) requires a dimension of both 'x' and 'y' to have one extent
// expected-note: extents_of_x_and_y<d,8,16>
auto weights = softmax(q * transpose(k));
