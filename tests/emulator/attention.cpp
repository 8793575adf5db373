// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The fused attention's own source in the emulator.
#include "attention_cases.hpp"

namespace attend::emulated {
namespace {

TEST(first, plain) {
  inputs<bf16> const in({1, 1, 1, 128, 128, 64, 64});
  check<empty_row::zeros_t, void, only<64>>(in, score);
}
TEST(first, causal) {
  inputs<bf16> const in({1, 2, 2, 200, 200, 64, 64});
  check<empty_row::zeros_t, void, only<64>>(in, causal());
}

} // namespace
} // namespace attend::emulated
