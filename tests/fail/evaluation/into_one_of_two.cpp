// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/attend.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto out = attend::zeros<float>(b = 2, s = 4, d = 8_c);
auto map = attend::zeros<float>(b = 2, s = 4);
int main() {
  auto const weights = softmax(q * transpose(k));
// expected-error: evaluate(into(out), x) requires 'out' to have the dims of 'x', in any order
// expected-note: dims_of_expression<b,s,t>
// expected-note: dims_of_result<b,s>
  evaluate(attend::into(out, map), weights * v, weights);
}
