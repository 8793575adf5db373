// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The control: the same includes and flags as every mistake here, and nothing wrong.
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto o = softmax(q * transpose(k)) * v;
