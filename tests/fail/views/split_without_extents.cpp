// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto x = attend::zeros<float>(b = 3, s = 5, c = 512_c);
// expected-error: split(x, c, parts...) requires an extent for every part but at most one
// expected-note: dims_of_x<n,d>
auto heads = split(x, c, n, d);
