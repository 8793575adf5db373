// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/cuda.cuh>
using namespace attend::dims;

auto x = attend::copy_to(attend::cuda, attend::ones<float>(s = 4));
auto out = attend::zeros<float>(s = 4);
void run() {
  // expected-error: f(x, y) requires 'x' and 'y' to be in one memory space
  // expected-note: memory_of_x<cuda>
  // expected-note: memory_of_y<host>
  evaluate(into(out), exp(x));
}
