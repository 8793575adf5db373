// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// With its neighbours every score meets every type and every head dim, and full attention each pair of those.
#include "check.cuh"

int main(int arguments, char** argument) {
  using namespace attend::literals;
  using namespace attend::device_cases;
  using namespace attend::device_cases::scores;
  using attend::device_tests::check;
  return attend::device_tests::run(arguments, argument, [] {
    fused<float>(check, "f32", {}, 64_c, full, padding, window);
    fused<float>(check, "f32", {}, 80_c, full, softcap, alibi);
    fused<float>(check, "f32", {}, 128_c, full, causal, padding);
    fused<float>(check, "f32", {}, 256_c, full, window, softcap);
  });
}
