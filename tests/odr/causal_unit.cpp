// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "units.hpp"

answer causal_unit() {
  using namespace odr;
  auto const q = query();
  auto const k = key();
  auto const v = value();
  auto const scores = q * transpose(k) / 4;
  auto const shared = softmax(scores) * v;
  auto const own = softmax(masked(scores, keep(attend::causal(s, t)))) * v;
  return {numbers(evaluate(shared)), numbers(evaluate(own)), explain(shared)};
}
