// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(s = 4, d = 8_c);
auto k = attend::normal<float>(t = 128_c, d = 8_c);
auto bias = attend::normal<float>(s = 4, t = 64_c);
// expected-error: f(x, y) requires a dimension of both 'x' and 'y' to have one extent
// expected-note: extents_of_x_and_y<t,128,64>
auto scores = q * transpose(k) + bias;
