// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where operands and results may lie: rows that can be copied 16 bytes at a time, 4, or element by element.
#include "attention_cases.hpp"

namespace attend::emulated {
namespace {

constexpr layout layouts[] = {layout::plain,       layout::heads_in_the_middle, layout::columns_first, layout::backwards,
                              layout::padded_by_2, layout::padded_by_1,         layout::sparse};

class attention_layouts : public testing::TestWithParam<layout> {};
INSTANTIATE_TEST_SUITE_P(layouts, attention_layouts, testing::ValuesIn(layouts));

TEST_P(attention_layouts, of_queries) { check<empty_row::zeros_t, void, only<64>>(inputs<bf16>({2, 1, 2, 37, 101, 40, 24}, GetParam()), causal()); }
TEST_P(attention_layouts, of_keys_and_values) {
  check<empty_row::zeros_t, void, only<64>>(inputs<f16>({2, 1, 2, 37, 101, 40, 24}, layout::plain, GetParam(), layout::sparse), causal());
  check<empty_row::zeros_t, void, only<64>>(inputs<f16>({2, 1, 2, 37, 101, 40, 24}, layout::plain, layout::padded_by_2, GetParam()), causal());
}
TEST_P(attention_layouts, of_results) {
  inputs<bf16> const in({2, 1, 2, 37, 101, 20, 13});
  check<empty_row::zeros_t, void, only<64>>(in, score, {}, no_gain{}, 0, GetParam());
  check<empty_row::zeros_t, float, only<64>>(in, score, {}, no_gain{}, 0, GetParam());
}
TEST_P(attention_layouts, of_f32) {
  check<empty_row::zeros_t, void, only<64>>(inputs<float>({2, 1, 2, 37, 101, 20, 13}, GetParam(), layout::plain, GetParam()), causal());
  check<empty_row::zeros_t, bf16, only<64>>(inputs<float>({2, 1, 2, 37, 101, 40, 24}, layout::plain, GetParam()), causal(), {}, no_gain{}, 0, GetParam());
}
TEST_P(attention_layouts, negative_scale_of_copied_queries) {
  inputs<bf16> in({1, 2, 1, 130, 40, 64, 64}, GetParam());
  in.scale = -1;
  check<empty_row::zeros_t, void, only<64>>(in, score);
}

// What the tensor memory accelerator can copy goes to the kernel of sm_90, all else to that of sm_80.
TEST_P(attention_layouts, taken_by_sm_90) {
  bool const aligned = GetParam() == layout::plain || GetParam() == layout::heads_in_the_middle;
  auto const taken = [](inputs<bf16> const& in, layout results) {
    emulator::counts = {};
    check<empty_row::zeros_t, void, only<64>>(in, score, {}, no_gain{}, 0, results);
    return emulator::counts.warpgroup_products > 0;
  };
  shape const n{2, 1, 2, 37, 101, 40, 24};
  EXPECT_EQ(taken(inputs<bf16>(n, GetParam()), layout::plain), aligned);
  EXPECT_EQ(taken(inputs<bf16>(n, layout::plain, GetParam()), layout::plain), aligned);
  EXPECT_EQ(taken(inputs<bf16>(n, layout::plain, layout::plain, GetParam()), layout::plain), aligned);
  EXPECT_EQ(taken(inputs<bf16>(n), GetParam()), aligned);
}

TEST(attention_machines, with_little_shared_memory) {
  emulator::options.shared_bytes = 99 << 10;
  check(inputs<bf16>({1, 1, 1, 70, 130, 256, 250}), causal());
  check(inputs<bf16>({1, 1, 1, 70, 130, 192, 128}), causal());
  check(inputs<float>({1, 1, 1, 70, 130, 200, 256}), causal());
  emulator::options.shared_bytes = 227 << 10;
}

} // namespace
} // namespace attend::emulated
