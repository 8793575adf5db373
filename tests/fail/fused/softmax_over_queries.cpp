// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/plan.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
// expected-error: require_fused(x) requires attention: the softmax and the product with the values are over different dims
// expected-note: softmax_over<s>
// expected-note: dimension_named<t>
bool const ok = require_fused(softmax(q * transpose(k), s) * v);
