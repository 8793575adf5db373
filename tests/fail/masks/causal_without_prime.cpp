// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto x = attend::normal<float>(b = 2, s = 4, d = 8_c);
// expected-error: masked(x, m) requires every dimension of 'm' to be one of 'x'; in self-attention the columns are prime(s)
// expected-note: dims_of_mask<t,s>
// expected-note: dims_of_x<b,s,primed<s>>
auto weights = softmax(masked(x * transpose(x), keep(attend::causal(s, t))));
