// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Stands in for a file of parameters: each tensor that a module asks for is drawn. A draw is a uniform number times a
// power of two, so that every compiler and every other program that follows the same rule gets it to the last bit.
#pragma once
#include <attend/create.hpp>
#include <attend/nn/files.hpp>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace examples {

/// Uniform in [-reach, reach), `reach` a power of two: normal numbers come from a logarithm, which machines round as they like.
template <class... E>
auto drawn(std::uint64_t seed, double reach, E... e) {
  auto x = attend::uniform<float>(attend::seed{seed}, e...);
  for (float& v : x) v = (2 * v - 1) * static_cast<float>(reach);
  return x;
}

/// What attend::nn::load takes: the first tensor is drawn from stream `seed`, the next from `seed` + 1, ... A matrix
/// reaches to 1 / sqrt(inputs), rounded up to a power of two, a vector to 1. Owns what it has drawn.
class random_parameters {
public:
  explicit random_parameters(std::uint64_t seed) : next_(seed) {}

  /// Nothing: every extent is the module's own.
  attend::nn::file_shape const& shape(std::string const&) const { return nothing_; }
  template <class T>
  std::span<T const> tensor(std::string const&, attend::nn::file_shape const& shape) const {
    static_assert(std::is_same_v<T, float>, "only f32 is drawn");
    std::int64_t size = 1, inputs = 1;
    for (auto const n : shape) size *= n;
    for (std::size_t i = 1; i < shape.size(); ++i) inputs *= shape[i];
    auto const x = drawn(next_++, std::exp2(std::ceil(-std::log2(static_cast<double>(inputs)) / 2)), attend::dims::c = size);
    drawn_.push_back(x.memory());
    return {x.data(), static_cast<std::size_t>(size)};
  }

private:
  mutable std::uint64_t next_;
  mutable std::vector<std::shared_ptr<float[]>> drawn_;
  attend::nn::file_shape nothing_;
};

} // namespace examples
