// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// SelfAttention(dim = 64, heads = 8, dim_head = 64) on x (1, 10, 64): plain, with a mask of the keys, with dropout.
#include "random_parameters.hpp"
#include "self_attention.hpp"
#include "show.hpp"
#include <attend/attend.hpp>

using namespace attend::dims;
using namespace attend::literals;

int main() {
  examples::random_parameters const file(1); // or attend::nn::safetensors file("model.safetensors")
  self_attention::parameters p;
  attend::nn::load(p, file);

  auto const x = attend::normal<float>(b = 1_c, s = 10_c, c = 64_c);
  auto const mask = attend::values<bool>({true, true, true, true, true, true, true, true, false, false}, b = 1_c, s = 10_c);

  auto const plain = self_attention::output(x, p);
  auto const kept = self_attention::output(x, p, keep(rename(mask, s, prime(s)))); // of the keys, and said to be kept
  auto const trained = dropout(plain, 0.1, 42);
  static_assert(attend::is_fused<decltype(plain)> && attend::is_fused<decltype(kept)>);

  examples::results results;
  results.show("self-attention", plain, evaluate(plain));
  results.show("self-attention, mask", kept, evaluate(kept));
  results.show("self-attention, output dropout", trained, evaluate(trained));
  return results.status();
}
