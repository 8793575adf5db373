// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
int main() {
  int const d = 8;
// expected-error: f(x, dims...) requires dimensions by name, as in 'softmax(x, t)'; here is something else: is a local variable hiding the dimension?
// expected-note: argument_given<int>
  auto scores = contract(q, k, d);
}
