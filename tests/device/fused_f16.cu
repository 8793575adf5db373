// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// With its neighbours every score meets every type and every head dim, and full attention each pair of those.
#include "check.cuh"

int main(int arguments, char** argument) {
  using attend::f16;
  using namespace attend::literals;
  using namespace attend::device_cases;
  using namespace attend::device_cases::scores;
  using attend::device_tests::check;
  return attend::device_tests::run(arguments, argument, [] {
    fused<f16>(check, "f16", {}, 64_c, full, softcap, alibi);
    fused<f16>(check, "f16", {}, 80_c, full, causal, padding);
    fused<f16>(check, "f16", {}, 128_c, full, window, softcap);
    fused<f16>(check, "f16", {}, 256_c, full, alibi, causal);
  });
}
