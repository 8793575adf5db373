// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention as one writes it: composed, explained, checked at compile time, run by one fused kernel, and compared with
// the same expression unfused.
#include "measure.hpp"
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>

// [quickstart]
#include <attend/attend.hpp>

using namespace attend::dims;     // b n s t d ...: named dimensions
using namespace attend::literals; // 64_c: an extent the compiler knows

int main() {
  auto q = attend::normal<attend::bf16>(b = 32, n = 8, s = 128, d = 64_c);
  auto k = attend::normal<attend::bf16>(b = 32, n = 8, t = 128, d = 64_c);
  auto v = attend::normal<attend::bf16>(b = 32, n = 8, t = 128, d = 64_c);
  auto mask = attend::normal<attend::bf16>(s = 128, t = 128); // added to the scores
  auto kᵀ = transpose(k);
  float const scale = 1 / std::sqrt(64.f);

  auto expr = softmax(q * kᵀ * scale + mask) * v; // a type: nothing runs yet
  require_fused(expr);                            // or it does not compile, and the error says why
  std::cout << explain(expr);

  auto out = evaluate(expr); // one fused kernel
  // [/quickstart]

  auto const by_route = [&](char const* route) {
    setenv("ATTEND_ATTENTION", route, 1);
    auto result = attend::uninitialized<attend::bf16>(b = 32, n = 8, s = 128, d = 64_c);
    auto const run = [&] { evaluate(into(result), expr); };
    attend::release_workspace();
    double const memory = examples::peak_memory(run);
    std::printf("%-6s  %8.2f ms   peak memory beside the operands %7.2f MiB\n", route, examples::milliseconds(run), memory);
    unsetenv("ATTEND_ATTENTION");
    return result;
  };
  std::puts("");
  auto const fused = by_route("fused"), unfused = by_route("thrust");
  double sum = 0;
  for (long i = 0; i < fused.size(); ++i) sum += std::abs(float(fused.data()[i]) - float(unfused.data()[i]));
  double const mean = sum / static_cast<double>(fused.size());
  std::printf("mean absolute difference of the two %.2e\n", mean);

  // Both round the weights and the result to bf16, of 8 significant bits, and sum values of size 1 weighted to 1.
  bool const close = mean < 1. / 256;
  if (!close) std::puts("the routes differ by more than bf16 allows");
  return close && out.size() == fused.size() ? EXIT_SUCCESS : EXIT_FAILURE;
}
