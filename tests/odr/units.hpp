// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Two units of one program include everything and evaluate one expression of the same type, and another of their own.
#pragma once
#include <attend/attend.hpp>
#include <string>
#include <vector>

/// What a unit computed of the shared expression and of its own, and how it explains the shared one.
struct answer {
  std::vector<float> shared;
  std::vector<float> own;
  std::string explanation;
};

answer causal_unit(); // own: the same under a causal mask
answer linear_unit(); // own: without the softmax

namespace odr {

using namespace attend::dims;
using namespace attend::literals;

inline auto query() { return attend::normal<float>(attend::seed{1}, b = 2, s = 5, d = 8_c); }
inline auto key() { return attend::normal<float>(attend::seed{2}, b = 2, t = 7, d = 8_c); }
inline auto value() { return attend::normal<float>(attend::seed{3}, b = 2, t = 7, e = 8_c); }

template <class Tensor>
std::vector<float> numbers(Tensor const& x) {
  return {x.data(), x.data() + x.size()};
}

} // namespace odr
