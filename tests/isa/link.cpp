// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One program of two translation units, this one built with -march=native and portable.cpp without: each runs
// its own instruction set's kernel, and they agree.
#include "support/routes.hpp"
#include "units.hpp"
#include <algorithm>
#include <attend/kernels/cpu/attention.hpp>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

using namespace attend::kernels;

char const* attend_without_flags(cpu::attention_problem<float, float, 1> const& problem);

namespace {

constexpr long rows = 70, depth = 12;

/// Attention by both units' kernels, called without an expression.
struct by_kernels {
  std::vector<float> x, mine, theirs;
  char const* other;

  by_kernels() : x(rows * depth), mine(x.size()), theirs(x.size()) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 7 % 13) / 4 - 1.5f;
    auto const view = [&](auto* p) { return cpu::matrix<std::remove_pointer_t<decltype(p)>, 1>{p, {0}, depth, 1}; };
    float const* const in = x.data();
    cpu::attention_problem<float, float, 1> problem{{1},      rows,     rows,     depth, depth, view(in),
                                                    view(in), view(in), view(mine.data()), 0.3, 1};
    apply<attend::op::masked, apply<attend::op::less_equal, coordinate<2>, coordinate<1>>, argument<0>> const causal{};
    cpu::attention<attend::empty_row::zeros_t>(problem, causal);
    problem.out = view(theirs.data());
    other = attend_without_flags(problem);
  }
  bool one_machine() const { return std::strcmp(cpu::machine::name, other) == 0; }
};

TEST(instruction_sets, link_into_one_program) {
  by_kernels const found;
  EXPECT_TRUE(std::strcmp(cpu::machine::name, "portable") == 0 || !found.one_machine());
  // Two answers, each within (keys + depth + 16) units of the values' size of 1.5.
  for (std::size_t i = 0; i < found.x.size(); ++i)
    EXPECT_NEAR(found.mine[i], found.theirs[i], 2 * 1.5 * (rows + depth + 16) * 0x1p-24);
}

template <class X, class Y>
bool same(X const& x, Y const& y) {
  return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

// Which code ran is told by the last bits of what it computes.
TEST(instruction_sets, evaluate_one_expression_each_by_its_own_code) {
  using namespace isa;
  using attend::test::expect_within;
  by_kernels const found;
  operands x{attend::zeros<float>(s = rows, d = depth), attend::zeros<float>(t = rows, d = depth),
             attend::zeros<float>(t = rows, e = depth)};
  for (float* to : {x.q.data(), x.k.data(), x.v.data()}) std::copy(found.x.begin(), found.x.end(), to);

  auto const mine = evaluate(attention(x));
  auto const theirs = evaluated_without_flags(attention(x));
  EXPECT_TRUE(same(mine, found.mine) && same(theirs, found.theirs));
  EXPECT_EQ(same(mine, theirs), found.one_machine());
  expect_within(oracle(attention(x)), mine, "attention here");
  expect_within(oracle(attention(x)), theirs, "attention there");

  auto const my_pass = evaluate(pass(x)), their_pass = evaluated_without_flags(pass(x));
  EXPECT_EQ(same(my_pass, their_pass), found.one_machine());
  expect_within(oracle(pass(x)), my_pass, "a pass here");
  expect_within(oracle(pass(x)), their_pass, "a pass there");

  expect_within(oracle(product(x)), evaluate(product(x)), "a product here");
  expect_within(oracle(product(x)), evaluated_without_flags(product(x)), "a product there");

  auto const of_theirs = contract(their_pass, x.k, d);
  expect_within(oracle(of_theirs), evaluate(of_theirs), "what one unit made, read by the other");
}

} // namespace
