// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of fused attention on CUDA: element type, head dim, mask, lengths and groups of heads, in order and in random
// orders.
#include "attention_cases.hpp"

namespace attend::emulated {
namespace {

enum class type { bf16, f16, f32 };
enum class mask { none, causal };

struct entry {
  type element;
  mask kept;
  shape n;
  std::uint64_t seed = 0;
};
std::ostream& operator<<(std::ostream& out, entry const& x) {
  out << (x.element == type::bf16 ? "bf16 " : x.element == type::f16 ? "f16 " : "f32 ") << (x.kept == mask::none ? "full " : "causal ") << x.n;
  return x.seed == 0 ? out : out << " seed " << x.seed;
}

template <class T>
void run(entry const& x) {
  inputs<T> const in(x.n);
  emulator::options.seed = x.seed;
  if (x.kept == mask::none) check(in, score);
  else check(in, causal());
  emulator::options.seed = 0;
}

std::vector<entry> table() {
  std::vector<entry> all;
  auto const add = [&](shape const& n) {
    for (type element : {type::bf16, type::f16, type::f32})
      for (mask kept : {mask::none, mask::causal}) all.push_back({element, kept, n});
  };
  // Lengths: empty, of one, around the tiles' ends, ragged; groups of heads.
  for (shape const& n : {shape{1, 1, 1, 1, 1, 64, 64}, {1, 1, 1, 1, 300, 64, 64}, {1, 1, 1, 300, 1, 64, 64}, {1, 1, 1, 5, 0, 64, 64},
                         {1, 1, 1, 0, 5, 64, 64}, {0, 1, 1, 5, 5, 64, 64}, {1, 1, 1, 128, 128, 64, 64}, {1, 1, 1, 127, 129, 64, 64},
                         {1, 1, 2, 129, 127, 64, 64}, {2, 2, 3, 33, 70, 64, 64}, {1, 1, 1, 200, 513, 64, 64}})
    add(n);
  // Head dims that are padded and those that are not, keys and values of the same and of different ones.
  for (shape const& n : {shape{1, 1, 1, 130, 140, 32, 32}, {1, 1, 1, 70, 150, 96, 96}, {1, 2, 1, 130, 130, 128, 128},
                         {1, 1, 1, 130, 100, 192, 192}, {1, 1, 1, 100, 130, 256, 256}, {1, 1, 1, 40, 140, 16, 24},
                         {1, 1, 1, 40, 140, 192, 128}, {1, 1, 1, 140, 40, 72, 8}, {1, 1, 1, 33, 65, 1, 3}, {1, 1, 1, 20, 70, 0, 16}})
    add(n);
  // Threads in random orders.
  for (std::uint64_t seed = 1; seed <= 4; ++seed)
    for (type element : {type::bf16, type::f16, type::f32})
      for (mask kept : {mask::none, mask::causal}) {
        all.push_back({element, kept, {1, 1, 2, 140, 200, 64, 64}, seed});
        all.push_back({element, kept, {1, 1, 1, 70, 150, 128, 120}, seed});
      }
  return all;
}

class attention_table : public testing::TestWithParam<entry> {};
TEST_P(attention_table, within_its_bound) {
  switch (GetParam().element) {
  case type::bf16: return run<bf16>(GetParam());
  case type::f16: return run<f16>(GetParam());
  case type::f32: return run<float>(GetParam());
  }
}
INSTANTIATE_TEST_SUITE_P(cases, attention_table, testing::ValuesIn(table()));

TEST(attention_head_dims, in_steps_of_eight) {
  for (long d = 8; d <= 256; d += 8) {
    SCOPED_TRACE(d);
    ASSERT_NO_FATAL_FAILURE(check(inputs<bf16>({1, 1, 1, 17, 33, d, 264 - d}), score));
  }
}
TEST(attention_head_dims, beyond_the_last_one) {
  attention_problem<bf16, bf16, 0> problem{};
  problem.rows = problem.keys = problem.width = 8, problem.depth = 257;
  EXPECT_EQ(cuda::attention<empty_row::zeros_t>(nullptr, problem, score), cudaErrorInvalidValue);
}

} // namespace
} // namespace attend::emulated
