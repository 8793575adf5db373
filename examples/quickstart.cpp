// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention as one writes it: composed, checked, explained, run by one fused kernel, and compared with itself unfused.

// [quickstart]
#include "compare_routes.hpp"
#include <attend/attend.hpp>
#include <iostream>

using namespace attend::dims;     // b n s t d ...: named dimensions
using namespace attend::literals; // 64_c: an extent the compiler knows

int main() {
  auto q = attend::normal<attend::bf16>(b = 32, n = 8, s = 128, d = 64_c);
  auto k = attend::normal<attend::bf16>(b = 32, n = 8, t = 128, d = 64_c);
  auto v = attend::normal<attend::bf16>(b = 32, n = 8, t = 128, d = 64_c);
  auto mask = attend::normal<attend::bf16>(s = 128, t = 128); // added to the scores
  auto kᵀ = transpose(k);                                     // a view
  float scale = 1 / std::sqrt(64.f);

  auto expr = softmax(q * kᵀ * scale + mask) * v; // a type: nothing runs yet
  require_fused(expr);                            // or it does not compile, with the reason
  auto out = evaluate(expr);                      // one fused kernel
  std::cout << explain(expr);                     // the tree, its dims, kernel, operations, bytes

  double difference = examples::compare_routes(expr); // ... and unfused: times, memory, mean absolute difference
  return out.extent(s) == 128 && difference < 1. / 256 ? 0 : 1; // bf16 has 8 significant bits
}
// [/quickstart]
