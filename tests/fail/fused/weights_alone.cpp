// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/plan.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
// expected-error: require_fused(x) requires attention: the root is not the product of a softmax and values
// expected-note: root_is_no_product_of_a_softmax
bool const ok = require_fused(softmax(q * transpose(k)));
