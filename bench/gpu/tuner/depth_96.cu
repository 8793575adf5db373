// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "candidates.cuh"

namespace bench::tuner {

void add_candidates_96() { add_candidates<96, 96, 112, 128, 144, 176>(); }

} // namespace bench::tuner
