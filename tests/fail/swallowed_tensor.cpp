// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A tensor described wrongly is one error, whatever is made of it.
#include <attend/attend.hpp>
using namespace attend::dims;
using namespace attend::literals;

int main() {
  int s = 4;
  // expected-error: a tensor requires every extent to be given by its dimension, as in 's = 128'; here it is a plain number: is a local variable hiding the dimension?
  // expected-note: argument_given<int>
  auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);

  auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
  q(b = 0) = 1;
  auto const x = softmax(q * transpose(k) * 0.125f, t) * rename(k, d, e);
  auto out = evaluate(x);
  evaluate(attend::into(out), x);
  evaluate(attend::into(q), k);
  auto [o, w] = evaluate(x, q * transpose(k));
  float total = 0;
  for (float y : out) total += y;
  total += *o.data() + static_cast<float>(w.extent(t) + out.size());
  return attend::explain(x).empty() && attend::is_fused<decltype(x)> && require_fused(x) ? s : static_cast<int>(total);
}
