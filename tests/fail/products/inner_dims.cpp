// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
// expected-error: operator*(x, y) requires the column dim of 'x' and the row dim of 'y' to be the same dimension
// expected-note: column_of_x<d>
// expected-note: row_of_y<t>
auto weights = softmax(q * k);
