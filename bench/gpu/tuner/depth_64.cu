// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "candidates.cuh"

namespace bench::tuner {

void add_candidates_64() { add_candidates<64, 64, 96, 112, 128, 160, 176, 192>(); }

} // namespace bench::tuner
