// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "operands.cuh"

namespace bench {

void add_depth_64() {
  add_shape<attend::bf16, decltype(64_c)>(32, 8, 128);
  add_lengths<attend::bf16, decltype(64_c)>(16);
  add_groups<attend::bf16, decltype(64_c)>(16);
  add_scores<attend::bf16, decltype(64_c)>(16);
}

} // namespace bench
