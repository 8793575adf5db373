// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Score functors for tests of attention kernels. Axes: batch, head of keys and values, query head of the group, row, key.
#pragma once
#include <attend/kernels/functor.hpp>

namespace attend::tests {

namespace op = attend::op;
using namespace attend::kernels;

template <class Op, class... X>
apply<Op, X...> make(Op, X... x) {
  return {{{x}...}};
}

inline constexpr argument<0> score{};
inline constexpr coordinate<3> row{};
inline constexpr coordinate<4> key{};

inline auto causal() { return make(op::masked{}, make(op::less_equal{}, key, row), score); }
inline auto bottom_right(long rows, long keys) {
  return make(op::masked{}, make(op::less_equal{}, key, make(op::add{}, row, whole_constant{keys - rows})), score);
}
template <class Score>
auto window(long left, long right, Score const& of) {
  auto const distance = make(op::sub{}, key, row);
  return make(op::masked{}, make(op::both{}, make(op::less_equal{}, whole_constant{-left}, distance), make(op::less_equal{}, distance, whole_constant{right})), of);
}
inline auto softcap(double cap) { return make(op::mul{}, constant{cap}, make(op::tanh{}, make(op::div{}, score, constant{cap}))); }
/// A slope for each head.
inline auto alibi(float const* slopes, long per_group) {
  return make(op::add{}, score, make(op::mul{}, element<float, 1, 2>{slopes, {per_group, 1}}, make(op::sub{}, key, row)));
}

} // namespace attend::tests
