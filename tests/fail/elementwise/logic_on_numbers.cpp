// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto mask = attend::ones<float>(b = 2, t = 4);
// expected-error: operator&&(x, y) requires conditions: comparisons or bool tensors
// expected-note: type_of_x<bool>
// expected-note: type_of_x<float>
auto kept = causal(s, t) && mask;
