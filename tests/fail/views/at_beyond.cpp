// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto qkv = attend::zeros<float>(b = 2, s = 4, part = 3_c, d = 8_c);
// expected-error: slice(x, dim, begin, end) and at(x, dim, i) require positions within the extent of 'dim'
// expected-note: extent_and_positions<part,3,3>
auto x = at(qkv, part, 3_c);
