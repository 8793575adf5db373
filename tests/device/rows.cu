// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "check.cuh"

int main() {
  using namespace attend;
  using device_tests::check;
  return device_tests::run([] {
    device_cases::reductions(check);
    device_cases::normalisations(check);
  });
}
