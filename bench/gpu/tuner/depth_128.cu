// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "candidates.cuh"

namespace bench::tuner {

void add_candidates_128() { add_candidates<128, 128, 96, 112, 128, 144, 160, 176>(); }

} // namespace bench::tuner
