// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "check.cuh"

int main(int arguments, char** argument) {
  using namespace attend;
  using device_tests::check;
  return device_tests::run(arguments, argument, [] {
    device_cases::attentions(check);
  });
}
