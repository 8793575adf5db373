// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "operands.cuh"

namespace bench {

void add_f32() {
  add_shape<float, decltype(64_c)>(4, 16, 4096);
  add_shape<float, decltype(128_c)>(4, 16, 4096);
}

} // namespace bench
