// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "operands.cuh"

namespace bench {

void add_depth_128() {
  add_lengths<attend::bf16, decltype(128_c)>(16);
  add_groups<attend::bf16, decltype(128_c)>(16);
  add_scores<attend::bf16, decltype(128_c)>(16);
}

} // namespace bench
