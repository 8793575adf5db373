// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

float memory[32];
// expected-error: a tensor requires its dimensions to be different; the second occurrence of one is written prime(s)
// expected-note: dims_of_x<b,s,s>
auto scores = attend::view(memory, b = 2, s = 4, s = 4);
