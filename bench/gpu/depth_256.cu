// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "operands.cuh"

namespace bench {

void add_depth_256() { add_lengths<attend::bf16, decltype(256_c)>(8); }

} // namespace bench
