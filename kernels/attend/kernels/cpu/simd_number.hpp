// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// vec as a number type of functors: one evaluation is `lanes` elements.
#pragma once
#include <attend/kernels/cpu/simd_integer.hpp>
#include <attend/kernels/cpu/simd_math.hpp>

namespace attend::kernels {

template <>
struct number<cpu::vec> {
  using logic = cpu::mask;
  using index = cpu::lane_index;
  using integer = cpu::lane_integer;
  static cpu::vec from(double x) { return cpu::vec(static_cast<float>(x)); }
  static cpu::vec from(long x) { return cpu::vec(static_cast<float>(x)); }
  static cpu::vec from(index x) { return cpu::to_vec(x); }
  static cpu::vec from(integer const& x) { return cpu::to_vec(x); }
  static cpu::vec infinity() { return cpu::vec(std::numeric_limits<float>::infinity()); }
  static cpu::vec select(logic c, cpu::vec x, cpu::vec y) { return cpu::select(c, x, y); }
  static integer select(logic c, integer const& x, integer const& y) { return cpu::select(c, x, y); }
  /// Whole parts of x towards zero.
  static integer truncate(cpu::vec x) { return cpu::truncate(x); }
  template <class T>
  static cpu::vec round(cpu::vec x) {
    if constexpr (std::is_same_v<T, bf16>) return cpu::detail::from_bf16(cpu::detail::to_bf16(x));
    else if constexpr (std::is_same_v<T, f16>) return cpu::machine::from_half(cpu::machine::to_half(x.raw));
    else return x;
  }
};

} // namespace attend::kernels
