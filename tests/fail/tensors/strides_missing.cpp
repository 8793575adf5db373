// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

float memory[64];
// expected-error: view(pointer, strides(...), dims...) requires a stride for every dimension and no other
// expected-note: dims_of_x<b,s,d>
// expected-note: dims_of_strides<s,d>
auto q = attend::view(memory, attend::strides(s = 8, d = 1), b = 2, s = 4, d = 8);
