// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "candidates.cuh"

namespace bench::tuner {

void add_candidates_256() { add_candidates<256, 256, 64, 80>(); }

} // namespace bench::tuner
