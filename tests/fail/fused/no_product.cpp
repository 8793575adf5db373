// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/plan.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto bias = attend::ones<float>(s = 4, t = 4);
// expected-error: require_fused(x) requires attention: the scores contain no product of a query and a key
// expected-note: dims_of_x<s,t>
bool const ok = require_fused(softmax(bias) * v);
