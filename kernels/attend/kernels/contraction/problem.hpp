// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a contraction is, described at run time:
//   out[...] = activation(scale * sum over k of x[...] * y[...] + bias[...]) + residual[...]
// Every axis has an extent and a stride in each operand; who moves along an axis says what the axis is.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace attend::kernels::contraction {

/// The most axes a problem may have.
inline constexpr int max_axes = 12;

/// How numbers are stored; sums are always kept in f32.
enum class data_type : std::uint8_t { f32, bf16, f16 };

/// Bytes of one stored number.
constexpr std::size_t size_of(data_type type) { return type == data_type::f32 ? 4 : 2; }

/// The name of a data type as messages print it.
constexpr char const* name_of(data_type type) {
  return type == data_type::f32 ? "f32" : type == data_type::bf16 ? "bf16" : "f16";
}

/// One stride for each axis of the problem, in elements; 0 where the operand does not vary along the axis.
using axis_strides = std::array<std::int64_t, max_axes>;

/// A tensor that is read; without data it is absent (bias, residual).
struct operand {
  void const* data = nullptr;
  data_type type = data_type::f32;
  axis_strides strides{};
};

/// The tensor that is written.
struct result {
  void* data = nullptr;
  data_type type = data_type::f32;
  axis_strides strides{};
};

/// The function between bias and residual. gelu is x (1 + erf(x / sqrt 2)) / 2, gelu_tanh its approximation by a tanh,
/// silu is x sigmoid(x).
enum class activation : std::uint8_t { none, relu, gelu, gelu_tanh, silu, sigmoid, tanh, exp, abs, sqrt, square };

/// What happens to a sum before it is stored: activation(scale * sum + bias) + residual, in f32, rounded once.
/// Bias and residual may vary along any of the axes of out; residual may be out itself (same data and strides).
struct epilogue {
  double scale = 1;
  operand bias{};
  activation function = activation::none;
  operand residual{};
};

/// A contraction. An axis along which out varies is a row, a column or a batch of the product, by which of x and y vary
/// along it; an axis longer than 1 along which out has stride 0 is summed over. Axes of extent 1 mean nothing.
/// x and y may repeat elements (stride 0) and run backwards (negative strides); elements of out must be distinct.
struct problem {
  int axes = 0;
  std::array<std::int64_t, max_axes> extents{};
  operand x{};
  operand y{};
  result out{};
  epilogue finish{};
};

namespace detail {

inline std::string text(std::int64_t const* values, int count) {
  std::string line = "(";
  for (int i = 0; i < count; ++i) line += (i ? ", " : "") + std::to_string(values[i]);
  return line + ")";
}

// The problem as error messages show it.
inline std::string text(problem const& p) {
  auto const tensor = [&](char const* name, data_type type, axis_strides const& strides) {
    return std::string(", ") + name + " " + name_of(type) + " strides " + text(strides.data(), p.axes);
  };
  std::string line = "extents " + text(p.extents.data(), p.axes);
  line += tensor("x", p.x.type, p.x.strides) + tensor("y", p.y.type, p.y.strides);
  line += tensor("out", p.out.type, p.out.strides);
  if (p.finish.bias.data) line += tensor("bias", p.finish.bias.type, p.finish.bias.strides);
  if (p.finish.residual.data) line += tensor("residual", p.finish.residual.type, p.finish.residual.strides);
  return line;
}

inline void check(problem const& p) {
  if (p.axes < 0 || p.axes > max_axes)
    throw std::invalid_argument("contract requires at most " + std::to_string(max_axes) + " axes, got " +
                                std::to_string(p.axes));
  bool empty = false, nothing_to_sum = false;
  for (int i = 0; i < p.axes; ++i) {
    if (p.extents[i] < 0) throw std::invalid_argument("contract requires extents of at least 0: " + text(p));
    if (p.extents[i] == 0) (p.out.strides[i] != 0 ? empty : nothing_to_sum) = true;
  }
  if (empty) return;
  if (!p.out.data) throw std::invalid_argument("contract requires data for 'out': " + text(p));
  if (!nothing_to_sum && (!p.x.data || !p.y.data))
    throw std::invalid_argument("contract requires data for 'x' and 'y': " + text(p));
}

} // namespace detail
} // namespace attend::kernels::contraction
