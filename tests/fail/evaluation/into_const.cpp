// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/attend.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
int main() {
  auto const out = attend::view(static_cast<float const*>(nullptr), b = 2, s = 4, d = 8_c);
// expected-error: evaluate(into(out), x) requires 'out' to be a tensor, or a view of elements that are not const
// expected-note: argument_given<tensor_view<const float,host,axis<b,-1>,axis<s,-1>,axis<d,8>>>
  evaluate(attend::into(out), softmax(q * transpose(k)) * v);
}
