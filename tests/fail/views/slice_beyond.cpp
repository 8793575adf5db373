// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
// expected-error: slice(x, dim, begin, end) and at(x, dim, i) require positions within the extent of 'dim'
// expected-note: extent_and_positions<d,8,4,12>
auto x = slice(q, d, 4_c, 12_c);
