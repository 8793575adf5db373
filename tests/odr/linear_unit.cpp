// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "units.hpp"

answer linear_unit() {
  using namespace odr;
  auto const q = query();
  auto const k = key();
  auto const v = value();
  auto const scores = q * transpose(k) / 4;
  auto const shared = softmax(scores) * v;
  auto const own = scores * v;
  return {numbers(evaluate(shared)), numbers(evaluate(own)), explain(shared)};
}
