// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/attend.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto out = attend::zeros<float>(b = 2, s = 4, d = 16_c);
int main() {
// expected-error: f(x, y) requires a dimension of both 'x' and 'y' to have one extent
// expected-note: extents_of_x_and_y<d,8,16>
  evaluate(attend::into(out), softmax(q * transpose(k)) * v);
}
