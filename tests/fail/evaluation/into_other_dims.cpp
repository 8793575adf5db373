// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/attend.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto out = attend::zeros<float>(b = 2, t = 4, d = 8_c);
int main() {
// expected-error: evaluate(into(out), x) requires 'out' to have the dims of 'x', in any order
// expected-note: dims_of_expression<b,s,d>
// expected-note: dims_of_result<b,t,d>
  evaluate(attend::into(out), softmax(q * transpose(k)) * v);
}
