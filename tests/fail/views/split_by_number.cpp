// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto x = attend::zeros<float>(b = 3, s = 5, c = 512_c);
// expected-error: split(x, c, parts...) requires two parts or more, each a dimension or its extent by name, as in 'n = 8'
// expected-note: dimension_named<c>
// expected-note: argument_given<int>
auto heads = split(x, c, 8, d);
