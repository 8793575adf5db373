// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto mask = attend::ones<bool>(b = 2, t = 4);
// expected-error: sum, mean, max, min, logsumexp and softmax require numbers; count a condition by sum(where(c, 1, 0), t)
// expected-note: dims_of_x<b,t>
auto length = sum(mask, t);
