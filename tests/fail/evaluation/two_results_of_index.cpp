// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/attend.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
int main() {
// expected-error: evaluate(x) requires the extent of every dimension; index(dim) alone has none: combine it with a tensor that has 'dim'
// expected-note: dims_of_expression<t>
  auto [o, positions] = evaluate(softmax(q * transpose(k)) * v, attend::index(t) * 2);
}
