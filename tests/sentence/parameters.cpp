// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model's own file fills the struct of its parameters.
#include "../../examples/sentence/parameters.hpp"

#include <gtest/gtest.h>

#include "support.hpp"

namespace {

TEST(model, has_every_parameter_that_is_asked_for) {
  attend::nn::safetensors const opened{model_folder() / "model.safetensors"};
  sentence::model_parameters<float> parameters;
  attend::nn::load(parameters, opened);
  auto const key = opened.tensor<float>("encoder.layer.3.attention.self.key.bias", {384});
  EXPECT_EQ(parameters.encoder.layer[3].attention.self.key.bias.data, key.data());
  auto const norm = opened.tensor<float>("embeddings.LayerNorm.weight", {384});
  EXPECT_EQ(parameters.embeddings.LayerNorm.weight.data, norm.data());
}

} // namespace
