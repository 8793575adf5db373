// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto table = attend::normal<float>(w = 301, d = 8_c);
auto ids = attend::zeros<std::int64_t>(b = 3, w = 5);
// expected-error: gather(table, ids) requires the dimension to look up in to be a dim of 'table' and not of 'ids'
// expected-note: dimension_named<w>
// expected-note: dims_of_x<w,d>
// expected-note: dims_of_y<b,w>
auto x = gather(table, ids, w);
