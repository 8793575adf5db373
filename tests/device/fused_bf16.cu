// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// With its neighbours every score meets every type and every head dim, and full attention each pair of those.
#include "check.cuh"

int main(int arguments, char** argument) {
  using attend::bf16;
  using namespace attend::literals;
  using namespace attend::device_cases;
  using namespace attend::device_cases::scores;
  using attend::device_tests::check;
  return attend::device_tests::run(arguments, argument, [] {
    fused<bf16>(check, "bf16", {}, 64_c, full, causal, window);
    fused<bf16>(check, "bf16", {}, 80_c, full, window, softcap);
    fused<bf16>(check, "bf16", {}, 128_c, full, alibi, causal);
    fused<bf16>(check, "bf16", {}, 256_c, full, padding, window);
    attend::device_cases::attention_sizes const many{1, 1, 2, 700, 1500};
    fused<bf16>(check, "many of bf16", many, 64_c, full, causal, window);
    fused<bf16>(check, "many of bf16", many, 128_c, full, causal);
    fused<bf16>(check, "many of bf16", many, 256_c, full, window);
  });
}
