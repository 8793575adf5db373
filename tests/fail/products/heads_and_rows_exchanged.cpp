// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The storage of another call's layout, its extents exchanged: names meet, lengths do not.
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::zeros<float>(b = 2, n = 8_c, s = 196_c, d = 96_c);
auto k = attend::zeros<float>(b = 2, n = 196_c, s = 8_c, d = 96_c); // (b, n, s, d) by the names of (b, s, n, d)
// expected-error: f(x, y) requires a dimension of both 'x' and 'y' to have one extent
// expected-note: extents_of_x_and_y<n,8,196>
auto scores = q * transpose(rename(k, s, t));
