// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

// expected-error: a dimension requires a whole number as its extent, as in 's = 128' or 's = 128_c'
// expected-note: dimension_named<s>
// expected-note: argument_given<double>
auto q = attend::normal<float>(b = 2, s = 4.5, d = 8_c);
