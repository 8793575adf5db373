// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The attention of a vision transformer's block on 196 patches of three images: (3, 196, 768), eight heads of 96.
#include "random_parameters.hpp"
#include "show.hpp"
#include "vision_block.hpp"
#include <attend/attend.hpp>

using namespace attend::dims;
using namespace attend::literals;

int main() {
  examples::random_parameters const file(1);
  vision_block::parameters p;
  attend::nn::load(p, file);

  auto const x = attend::normal<float>(b = 3_c, s = 196_c, c = 768_c);
  auto const block = vision_block::output(x, p);
  auto const trained = vision_block::output(x, p, {.attention = 0.1, .projection = 0.1, .attention_seed = 1, .projection_seed = 2});
  static_assert(attend::is_fused<decltype(block)>);

  auto const y = evaluate(block);
  auto const z = evaluate(trained);
  examples::show_dims("block", y), std::puts("");
  examples::show_dims("block in training", z), std::puts("");

  // The oracle takes its time: of one image with few patches.
  auto const few = evaluate(slice(slice(x, b, 0_c, 1_c), s, 0_c, 14_c));
  auto const few_block = vision_block::output(few, p);
  auto const few_trained = vision_block::output(few, p, {0.1, 0.1, 1, 2});
  examples::results results;
  results.show("block of 14 patches", few_block, evaluate(few_block));
  results.show("block of 14 patches in training", few_trained, evaluate(few_trained));
  return results.status();
}
