// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CrossAttention(query_dim = 64, context_dim = 77): x (1, 10, 64) asks a context (1, 20, 77).
#include "cross_attention.hpp"
#include "random_parameters.hpp"
#include "show.hpp"
#include <attend/attend.hpp>
#include <iostream>

using namespace attend::dims;
using namespace attend::literals;

int main() {
  examples::random_parameters const file(1);
  cross_attention::parameters p;
  attend::nn::load(p, file);

  auto const x = attend::normal<float>(b = 1_c, s = 10_c, c = 64_c);
  auto const context = attend::normal<float>(b = 1_c, t = 20_c, cross_attention::context_features);
  auto const output = cross_attention::output(x, context, p);
  static_assert(attend::is_fused<decltype(output)>);

  examples::results results;
  results.show("cross-attention", output, evaluate(output));
  std::cout << explain(output);
  return results.status();
}
