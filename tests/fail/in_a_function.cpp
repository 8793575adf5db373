// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The trace leads through the template that made the mistake.
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

template <class Q, class K, class V>
auto attention(Q const& q, K const& k, V const& v) {
  // expected-error: operator*(x, y) requires the column dim of 'x' and the row dim of 'y' to be the same dimension
  // expected-note: column_of_x<d>
  // expected-note: row_of_y<t>
  return softmax(q * k) * v;
}
auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto o = attention(q, k, v);
