// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One program of two translation units, this one built with -march=native and portable.cpp without: each runs
// its own instruction set's kernel, and they agree.
#include <attend/kernels/cpu/attention.hpp>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

using namespace attend::kernels;

char const* attend_without_flags(cpu::attention_problem<float, float, 1> const& problem);

TEST(instruction_sets, link_into_one_program) {
  long const rows = 70, depth = 12;
  std::vector<float> x(rows * depth), mine(x.size()), theirs(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 7 % 13) / 4 - 1.5f;
  auto const view = [&](auto* p) { return cpu::matrix<std::remove_pointer_t<decltype(p)>, 1>{p, {0}, depth, 1}; };
  float const* const in = x.data();
  cpu::attention_problem<float, float, 1> problem{{1},      rows,     rows,     depth, depth, view(in),
                                                  view(in), view(in), view(mine.data()), 0.3, 1};
  apply<attend::op::masked, apply<attend::op::less_equal, coordinate<2>, coordinate<1>>, argument<0>> const causal{};
  cpu::attention<attend::empty_row::zeros_t>(problem, causal);
  problem.out = view(theirs.data());
  char const* const other = attend_without_flags(problem);
  EXPECT_TRUE(std::strcmp(cpu::machine::name, "portable") == 0 || std::strcmp(other, cpu::machine::name) != 0);
  // Two answers, each within (keys + depth + 16) units of the values' size of 1.5.
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(mine[i], theirs[i], 2 * 1.5 * (rows + depth + 16) * 0x1p-24);
}
