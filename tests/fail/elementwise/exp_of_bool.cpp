// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto mask = attend::ones<bool>(b = 2, t = 4);
// expected-error: f(x, y) requires numbers; a bool mask goes in by masked(x, keep(m)) or masked(x, drop(m))
// expected-note: dims_of_x<b,t>
auto weights = exp(mask);
