// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto x = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto pad = attend::ones<bool>(b = 2, s = 4);
// expected-error: softmax(x, t) requires every mask in 'x' to depend on 't'; in self-attention the columns are prime(s): write rename(m, s, prime(s))
// expected-note: dims_of_mask<b,s>
// expected-note: softmax_over<primed<s>>
auto weights = softmax(masked(x * transpose(x), drop(pad), -1e9f));
