// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a contraction is, described at run time:
//   out[...] = activation(scale * sum over k of x[...] * y[...] + bias[...]) + residual[...]
// Every axis has an extent and a stride in each operand; who moves along an axis says what the axis is.
#pragma once
#include <array>
#include <attend/kernels/isa.hpp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA {

/// The most axes a problem may have.
inline constexpr int max_axes = 12;

/// How numbers are stored, and sums kept.
enum class data_type : std::uint8_t { f32, bf16, f16, f64 };

/// Bytes of one stored number.
constexpr std::size_t size_of(data_type type) { return type == data_type::f64 ? 8 : type == data_type::f32 ? 4 : 2; }

/// The name of a data type as messages print it.
constexpr char const* name_of(data_type type) {
  return type == data_type::f64 ? "f64" : type == data_type::f32 ? "f32" : type == data_type::bf16 ? "bf16" : "f16";
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

/// What happens to a sum before it is stored: activation(scale * sum + bias) + residual, in the type of sums, rounded once.
/// Bias and residual may vary along any of the axes of out; residual may be out itself (same data and strides).
struct epilogue {
  double scale = 1;
  operand bias{};
  activation function = activation::none;
  operand residual{};
};

/// A contraction. An axis along which out varies is a row, a column or a batch of the product, by which of x and y vary
/// along it; an axis longer than 1 along which out has stride 0 is summed over. Axes of extent 1 mean nothing.
/// x and y may repeat elements (stride 0) and run backwards (negative strides); elements of out must be distinct. Sums are
/// kept in f32, or in f64, as they are where one of the tensors is of that type.
struct problem {
  int axes = 0;
  std::array<std::int64_t, max_axes> extents{};
  operand x{};
  operand y{};
  result out{};
  epilogue finish{};
  data_type sums = data_type::f32;
};

namespace detail {

// One line of text for an error; what does not fit is cut off. Put together by printf: strings would be compiled anew
// in every program that multiplies.
class message {
  char text_[2048] = {};
  int size_ = 0;

public:
  [[gnu::cold, gnu::noinline, gnu::format(printf, 2, 3)]] message& add(char const* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    int const room = static_cast<int>(sizeof text_) - size_;
    int const added = std::vsnprintf(text_ + size_, static_cast<std::size_t>(room), format, arguments);
    va_end(arguments);
    size_ += added < room ? added : room - 1;
    return *this;
  }
  [[gnu::cold]] void add(std::int64_t const* values, int count) {
    for (int i = 0; i < count; ++i) add("%s%lld", i ? ", " : "(", static_cast<long long>(values[i]));
    add(count > 0 ? ")" : "()");
  }
  [[gnu::cold]] void add(char const* name, data_type type, axis_strides const& strides, int axes) {
    add(", %s %s strides ", name, name_of(type));
    add(strides.data(), axes);
  }
  // The problem as error messages show it.
  [[gnu::cold, gnu::noinline]] message& add(problem const& p) {
    add("extents ");
    add(p.extents.data(), p.axes);
    add("x", p.x.type, p.x.strides, p.axes);
    add("y", p.y.type, p.y.strides, p.axes);
    add("out", p.out.type, p.out.strides, p.axes);
    if (p.finish.bias.data) add("bias", p.finish.bias.type, p.finish.bias.strides, p.axes);
    if (p.finish.residual.data) add("residual", p.finish.residual.type, p.finish.residual.strides, p.axes);
    return *this;
  }
  char const* text() const { return text_; }
};

[[noreturn, gnu::cold, gnu::noinline]] inline void refuse(char const* requirement, problem const& p) {
  throw std::invalid_argument(message().add("contract requires %s: ", requirement).add(p).text());
}

inline void check(problem const& p) {
  if (p.axes < 0 || p.axes > max_axes)
    throw std::invalid_argument(message().add("contract requires at most %d axes, got %d", max_axes, p.axes).text());
  if (p.sums != data_type::f32 && p.sums != data_type::f64) refuse("sums in f32 or f64", p);
  if (p.sums == data_type::f32)
    for (data_type type : {p.x.type, p.y.type, p.out.type, p.finish.bias.type, p.finish.residual.type})
      if (type == data_type::f64) refuse("sums in f64 where a tensor is of f64", p);
  bool empty = false, nothing_to_sum = false;
  for (int i = 0; i < p.axes; ++i) {
    if (p.extents[i] < 0) refuse("extents of at least 0", p);
    if (p.extents[i] == 0) (p.out.strides[i] != 0 ? empty : nothing_to_sum) = true;
  }
  if (empty) return;
  if (!p.out.data) refuse("data for 'out'", p);
  if (!nothing_to_sum && (!p.x.data || !p.y.data)) refuse("data for 'x' and 'y'", p);
}

} // namespace detail
} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA
