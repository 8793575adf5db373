// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Each barrier and each wait of the fused attention is needed: without any one of them, the emulator sees it.
#include "attention_cases.hpp"

namespace attend::emulated {
namespace {

void run_all() {
  check<empty_row::zeros_t, void, only<64>>(inputs<bf16>({1, 1, 1, 130, 200, 64, 64}), causal());
  check<empty_row::zeros_t, void, only<64>>(inputs<bf16>({1, 1, 1, 20, 0, 64, 64}), causal());
  inputs<bf16> in({1, 1, 1, 20, 40, 64, 64});
  in.scale = -1;
  check<empty_row::zeros_t, void, only<64>>(in, causal());
  // More tiles than blocks, and more keys than buffers.
  check<empty_row::zeros_t, void, only<64>>(inputs<bf16>({1, 4, 1, 150, 520, 64, 64}, {}, {}, {}, 3), score);
}

TEST(attention_waits, are_all_needed) {
  emulator::counts = {};
  run_all();
  auto const waits = emulator::counts.waits;
  EXPECT_GE(waits.size(), 6u);
  for (std::string const& wait : waits)
    for (std::uint64_t seed : {0, 1, 2}) {
      emulator::options.seed = seed, emulator::options.skip = wait;
      std::string said;
      try {
        run_all();
      } catch (emulator::error const& e) {
        said = e.what();
      }
      EXPECT_NE(said.find("kernel attention, block ("), std::string::npos) << "without " << wait << ", seed " << seed << ": " << said;
    }
  emulator::options = {};
}

} // namespace
} // namespace attend::emulated
