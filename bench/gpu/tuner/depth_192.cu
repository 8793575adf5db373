// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "candidates.cuh"

namespace bench::tuner {

void add_candidates_192() {
  add_candidates<192, 192, 80, 96, 112>();
  add_candidates<192, 128, 96, 112, 128>();
}

} // namespace bench::tuner
