// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto x = attend::zeros<float>(b = 3, s = 5, c = 512_c);
// expected-error: a tensor requires its dimensions to be different; the second occurrence of one is written prime(s)
// expected-note: dims_of_x<b,s,s,d>
auto heads = split(x, c, s = 8_c, d);
