// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The attention of a vision transformer's block on (3, 196, 768), eight heads of 96.
#include <random_parameters.hpp>
#include <support/references.hpp>
#include <vision_block.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::test::expect_right;
using attend::test::expect_torch_after;
using attend::test::expect_within;
using attend::test::reference;
using attend::test::references;
using examples::drawn;

struct vision_block_of_196 : testing::Test {
  attend::nn::safetensors const torch = references("vision_block");
  examples::random_parameters const drawn_parameters{2};
  vision_block::parameters p;
  decltype(drawn(1, 2, b = 3_c, s = 196_c, vision_block::features)) const x = drawn(1, 2, b = 3_c, s = 196_c, vision_block::features);

  // The patches whose results are in the file.
  template <class X>
  static auto sampled(X const& y) {
    return slice(y, s, 130_c, 134_c);
  }
  // The whole block, its sampled patches held against PyTorch's: a norm, two projections, scores and weights lie behind them.
  template <class E>
  void expect(E const& block, char const* name) const {
    for (char const* route : {"fused", "thrust"}) {
      attend::test::route_in_scope const by(route);
      auto const y = evaluate(block);
      static_assert(std::is_same_v<typename std::remove_cvref_t<decltype(y)>::shape, typename std::remove_cvref_t<decltype(x)>::shape>);
      expect_torch_after({768, 768, 96, 196, 768}, evaluate(sampled(y)), reference<double>(torch, name, b = 3_c, s = 4_c, vision_block::features), std::string(name) + " by route " + route);
    }
  }

  vision_block_of_196() {
    attend::nn::load(p, drawn_parameters);
    attend::test::expect_same_input(evaluate(slice(sampled(x), c, 0_c, 32_c)), reference<double>(torch, "input", b = 3_c, s = 4_c, c = 32_c), "x");
  }
};

TEST_F(vision_block_of_196, row_40_layer_norm) {
  auto const y = evaluate(attend::nn::layer_norm(x, p.norm));
  attend::test::expect_within(attend::oracle(attend::nn::layer_norm(x, p.norm)), y, "layer norm");
  expect_torch_after({768}, evaluate(slice(sampled(y), c, 0_c, 192_c)), reference<double>(torch, "row_40.norm", b = 3_c, s = 4_c, c = 192_c), "layer norm");
}

TEST_F(vision_block_of_196, row_40_weights_of_one_projection) {
  auto const weights = evaluate(vision_block::heads(attend::nn::layer_norm(x, p.norm), p).first);
  expect_torch_after({768, 768, 96, 196}, evaluate(slice(weights, s, 130_c, 131_c)), reference<double>(torch, "row_40.weights", b = 3_c, n = 8_c, s = 1_c, prime(s) = 196_c), "weights");
}

// The oracle of parts, each of what the part before it gave: some rows of the projection, one sequence's heads 2 and 3.
TEST_F(vision_block_of_196, row_40_each_step_by_the_oracle) {
  auto const y = evaluate(attend::nn::layer_norm(x, p.norm));
  auto const projected = evaluate(attend::nn::linear(y, p.qkv));
  expect_within(attend::oracle(attend::nn::linear(slice(at(y, b, 1), s, 90, 93), p.qkv)), evaluate(slice(at(projected, b, 1), s, 90, 93)), "projection");
  auto const some = slice(at(split(projected, f, part = 3_c, n = 8_c, d), b, 1), n, 2, 4);
  auto const weights = softmax(at(some, part, 0) * transpose(at(some, part, 1)) * std::pow(96., -0.5));
  expect_right(weights * at(some, part, 2), "heads");
  expect_right(dropout(weights, 0.1, 1) * at(some, part, 2), "attention dropout");
  auto const [w, v] = vision_block::heads(y, p);
  auto const merged = evaluate(merge(w * v, n, d, e));
  auto const last = attend::nn::linear(slice(at(merged, b, 1), s, 0, 3), p.proj);
  expect_right(dropout(last, 0.1, 2), "projection dropout");
  expect_within(attend::oracle(last), evaluate(slice(at(evaluate(vision_block::output(x, p)), b, 1), s, 0, 3)), "block");
}

TEST_F(vision_block_of_196, row_40_dropout_of_weights_and_of_the_result) { expect(vision_block::output(x, p, {0.1, 0.1, 7, 8}), "row_40.training"); }

TEST_F(vision_block_of_196, row_41_3_by_196_by_768) {
  auto const block = vision_block::output(x, p);
  static_assert(attend::is_fused<decltype(block)>);
  expect(block, "row_41");
}

} // namespace
