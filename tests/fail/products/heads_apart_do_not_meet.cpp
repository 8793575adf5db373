// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fewer key heads than query heads are groups: split(q, n, g = 2_c, r) against k(b, g, t, d).
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, n = 8_c, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, n = 2_c, t = 4, d = 8_c);
// expected-error: f(x, y) requires a dimension of both 'x' and 'y' to have one extent
// expected-note: extents_of_x_and_y<n,8,2>
auto scores = q * transpose(k);
