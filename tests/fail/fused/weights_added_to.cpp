// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/plan.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto gain = attend::ones<float>(b = 2, s = 4, t = 4);
// expected-error: require_fused(x) requires attention: something stands between the softmax and the product with the values
// expected-note: weights_change_after_the_softmax
bool const ok = require_fused((softmax(q * transpose(k)) + gain) * v);
