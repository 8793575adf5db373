// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(s = 4, d = 8_c);
auto k = attend::normal<float>(t = 4_c, d = 8_c);
auto pad = attend::ones<bool>(t = 6_c);
// expected-error: f(x, y) requires a dimension of both 'x' and 'y' to have one extent
// expected-note: extents_of_x_and_y<t,4,6>
auto scores = masked(q * transpose(k), drop(pad));
