// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

// expected-error: normal<T>(dims...) and uniform<T>(dims...) require 'T' to be float, double, bf16 or f16
// expected-note: argument_given<int>
auto ids = attend::normal<int>(b = 2, s = 4);
