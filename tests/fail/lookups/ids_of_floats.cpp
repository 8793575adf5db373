// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto table = attend::normal<float>(w = 301, d = 8_c);
auto ids = attend::zeros<float>(b = 3, s = 5);
// expected-error: gather(table, ids) requires ids of type int32_t or int64_t
// expected-note: type_of_y<float>
auto x = gather(table, ids, w);
