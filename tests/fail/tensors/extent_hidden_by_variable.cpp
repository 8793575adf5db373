// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

int main() {
  int s = 0;
// expected-error: a tensor requires every extent to be given by its dimension, as in 's = 128'; here it is a plain number: is a local variable hiding the dimension?
// expected-note: argument_given<int>
// expected-note: argument_given<extent<b,-1>>
  auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
  return s;
}
