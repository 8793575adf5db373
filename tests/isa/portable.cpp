// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Half of a program whose two halves are built for different instruction sets; this one without any flag.
#include "units.hpp"

using namespace attend::kernels;

char const* attend_without_flags(cpu::attention_problem<float, float, 1> const& problem) {
  apply<attend::op::masked, apply<attend::op::less_equal, coordinate<2>, coordinate<1>>, argument<0>> const causal{};
  cpu::attention<attend::empty_row::zeros_t>(problem, causal);
  return cpu::machine::name;
}

namespace isa {
result<attention> evaluated_without_flags(expression<attention> const& x) { return evaluate(x); }
result<product> evaluated_without_flags(expression<product> const& x) { return evaluate(x); }
result<pass> evaluated_without_flags(expression<pass> const& x) { return evaluate(x); }
} // namespace isa
