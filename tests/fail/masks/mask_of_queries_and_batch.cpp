// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Batch equals queries, so that (batch, keys) would line up with (queries, keys) by position: by name it is another mask.
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto scores = attend::zeros<float>(s = 4_c, t = 6_c);
auto pad = attend::ones<bool>(b = 4_c, t = 6_c);
// expected-error: masked(x, m) requires every dimension of 'm' to be one of 'x'; in self-attention the columns are prime(s)
// expected-note: dims_of_mask<b,t>
// expected-note: dims_of_x<s,t>
auto kept = masked(scores, drop(pad));
