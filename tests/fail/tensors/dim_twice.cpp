// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

// expected-error: a tensor requires its dimensions to be different; the second occurrence of one is written prime(s)
// expected-note: dims_of_x<b,s,s>
auto scores = attend::normal<float>(b = 2, s = 4, s = 4);
