// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto x = attend::zeros<float>(b = 3, s = 5, c = 512_c);
// expected-error: split(x, c, parts...) requires the extent of 'c' to be the product of its parts
// expected-note: extent_and_parts<c,512,7>
auto heads = split(x, c, n = 7_c, d);
