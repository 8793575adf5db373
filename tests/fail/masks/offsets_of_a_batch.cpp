// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto offsets = attend::zeros<std::int64_t>(b = 2, n = 4);
// expected-error: sequence_of(t, offsets) requires offsets of one dimension and of type int32_t or int64_t
// expected-note: dims_of_x<b,n>
auto ids = attend::sequence_of(t, offsets);
