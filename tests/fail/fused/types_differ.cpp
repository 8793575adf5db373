// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/plan.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto k16 = attend::normal<attend::bf16>(b = 2, t = 4, d = 8_c);
// expected-error: require_fused(x) requires attention: query, key and values are not of one element type; write cast<T>(x)
// expected-note: type_of_x<float>
// expected-note: type_of_y<float>
bool const ok = require_fused(softmax(q * transpose(k16)) * v);
