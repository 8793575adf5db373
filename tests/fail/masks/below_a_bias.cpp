// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto pad = attend::ones<bool>(b = 2, s = 4);
auto bias = attend::zeros<float>(s = 4, t = 4);
// expected-error: softmax(x, t) requires every mask in 'x' to depend on 't'; in self-attention the columns are prime(s): write rename(m, s, prime(s))
// expected-note: dims_of_mask<b,s>
// expected-note: softmax_over<t>
auto weights = softmax(masked(q * transpose(k), drop(pad)) + bias);
