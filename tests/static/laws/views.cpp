// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Views: transposes, names, split, merged and cut dims, and what is known of their extents.
#include "asserts.hpp"

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::laws::of;

auto q = of<float>(b = 2, n = 8_c, s = 5, d = 64_c);
auto x = of<float>(b = 2, s = 5, c = 512_c);
auto y = of<float>(b = 2, s = 5, c = 512);
auto image = of<float>(b = 3, c = 512_c, h = 16_c, w = 32_c);
int const heads = 8;

// ---- transpose swaps row and column, and nothing else
SHAPE(transpose(q), b, n = 8_c, s, d = 64_c);
ORIENTED(transpose(q), d, s);
ORIENTED(transpose(transpose(q)), s, d);
ORIENTED(oriented(image, c, h), c, h);
ORIENTED(transpose(oriented(image, c, h)), h, c);

// ---- rename: the dim keeps its place, its extent and what it is
SHAPE(rename(q, s, t), b, n = 8_c, t, d = 64_c);
SHAPE(rename(q, d, e), b, n = 8_c, s, e = 64_c);
SHAPE(rename(q, s, prime(s)), b, n = 8_c, prime(s), d = 64_c);
SHAPE(rename(rename(q, s, t), t, s), b, n = 8_c, s, d = 64_c);
SHAPE(rename(q, s, s), b, n = 8_c, s, d = 64_c);
ORIENTED(rename(q, s, t), t, d);
ORIENTED(rename(transpose(q), s, t), d, t);
static_assert(std::is_same_v<decltype(rename(q, s, s)), decltype(q)>); // no view at all

// ---- split: the first part is the slowest; one extent may be left out
SHAPE(split(x, c, n = 8_c, d), b, s, n = 8_c, d = 64_c);
SHAPE(split(x, c, n, d = 64_c), b, s, n = 8_c, d = 64_c);
SHAPE(split(x, c, n = 8_c, d = 64_c), b, s, n = 8_c, d = 64_c);
SHAPE(split(x, c, part = 2_c, n = 4_c, d), b, s, part = 2_c, n = 4_c, d = 64_c);
SHAPE(split(x, c, n = heads, d), b, s, n, d);                                          // a part known at run time only
SHAPE(split(y, c, n = 8_c, d), b, s, n = 8_c, d);                                      // or the whole
SHAPE(split(x, c, n = 512_c, d), b, s, n = 512_c, d = 1_c);
SHAPE(split(of<float>(s = 5, c = 0_c), c, n = 8_c, d), s, n = 8_c, d = 0_c);
ORIENTED(split(x, c, n = 8_c, d), s, d);
UNORIENTED(split(x, c, h = 8_c, d));
ORIENTED(split(q, n, g = 2_c, r), s, d);                                               // a split of batch dims keeps them
ORIENTED(split(transpose(q), n, g = 2_c, r), d, s);

// ---- merge: the result stands where the last of them stood
SHAPE(merge(q, n, d, c), b, s, c = 512_c);
SHAPE(merge(of<float>(b = 2, s = 5, n = 8_c, d = 64_c), n, d, c), b, s, c = 512_c);
SHAPE(merge(of<float>(b = 2, s = 5, n = 8, d = 64_c), n, d, c), b, s, c);
SHAPE(merge(image, h, w, s), b, c = 512_c, s = 512_c);
SHAPE(merge(split(x, c, n = 8_c, d), n, d, c), b, s, c = 512_c);                       // each undoes the other
ORIENTED(merge(q, n, d, c), s, c);
ORIENTED(merge(image, h, w, s), c, s);

// ---- slice and at
SHAPE(slice(q, s, 1, 4), b, n = 8_c, s, d = 64_c);
SHAPE(slice(q, d, 0_c, 32_c), b, n = 8_c, s, d = 32_c);
SHAPE(slice(q, d, 0, 32), b, n = 8_c, s, d);
SHAPE(slice(q, d, 32_c, 64_c), b, n = 8_c, s, d = 32_c);
SHAPE(slice(q, d, 7_c, 7_c), b, n = 8_c, s, d = 0_c);
ORIENTED(slice(transpose(q), s, 1, 4), d, s);
SHAPE(at(q, n, 0), b, s, d = 64_c);
SHAPE(at(q, n, 7_c), b, s, d = 64_c);
SHAPE(at(at(q, n, 0), b, 1), s, d = 64_c);
SHAPE(at(q, s, 4), b, n = 8_c, d = 64_c);
ORIENTED(at(q, n, 0), s, d);
ORIENTED(at(transpose(q), n, 0), d, s);
UNORIENTED(at(q, s, 4));
ORIENTED(at(of<float>(s = 5, t = 7, d = 64_c), d, 0), s, t);
// three projections in one buffer
auto qkv = split(of<float>(b = 2, s = 5, f = 1536_c), f, part = 3_c, n = 8_c, d);
SHAPE(at(qkv, part, 0), b, s, n = 8_c, d = 64_c);
ORIENTED(at(qkv, part, 2_c), s, d);

} // namespace
