// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto x = attend::normal<float>(b = 2, d = 8_c);
// expected-error: transpose(x) requires the row and the column of 'x' to be known; write oriented(x, row, column)
// expected-note: dims_of_x<b,d>
auto y = transpose(x);
