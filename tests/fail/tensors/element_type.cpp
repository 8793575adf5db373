// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

// expected-error: a tensor requires elements of type float, double, bf16, f16, bool, int32_t or int64_t
// expected-note: argument_given<char>
auto text = attend::zeros<char>(b = 2, s = 4);
