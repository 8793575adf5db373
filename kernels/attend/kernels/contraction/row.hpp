// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The two passes over rows of numbers: bringing an operand into the form the product wants, and finishing sums.
// Both are compiled twice, for the machine the program is compiled for and for AVX2 with FMA; which one runs is
// decided at run time, so that a program compiled for any x86-64 does not pay for it.
#pragma once
#include <attend/kernels/contraction/block.hpp>
#if defined(__x86_64__) && !(defined(__AVX2__) && defined(__FMA__))
#define ATTEND_CONTRACTION_TWO_MACHINES 1
#endif

namespace attend::kernels::contraction::detail {

/// `count` numbers, `stride` apart.
template <class Pointer>
struct span {
  Pointer data = nullptr;
  data_type type = data_type::f32;
  std::int64_t stride = 0;
};
using source = span<void const*>;
using target = span<void*>;

/// What is done to a row of sums; bias and residual without data are absent.
struct finish {
  float scale = 1;
  activation function = activation::none;
};

[[gnu::always_inline]] inline int at_most_lanes(std::int64_t count) {
  return static_cast<int>(count < lanes ? count : lanes);
}

template <data_type From, data_type To>
[[gnu::always_inline]] inline std::int64_t convert_blocks(void const* from, void* to, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) store_whole(load_whole(advance(from, i, From), From), advance(to, i, To), To);
  return i;
}

// Rows that lie together go through a loop of their own for each pair of types; what is left, and rows with gaps, do
// not. The same type on both sides is a copy.
[[gnu::always_inline]] inline void convert_body(source from, target to, std::int64_t count) {
  std::int64_t i = 0;
  if (from.stride == 1 && to.stride == 1) {
    if (from.type == to.type) {
      std::memcpy(to.data, from.data, static_cast<std::size_t>(count) * size_of(from.type));
      return;
    }
    if (from.type == data_type::bf16 && to.type == data_type::f32)
      i = convert_blocks<data_type::bf16, data_type::f32>(from.data, to.data, count);
    else if (from.type == data_type::f16 && to.type == data_type::f32)
      i = convert_blocks<data_type::f16, data_type::f32>(from.data, to.data, count);
  }
  for (; i < count; i += lanes) {
    int const n = at_most_lanes(count - i);
    block const b = load(advance(from.data, i * from.stride, from.type), from.type, from.stride, n);
    store(b, advance(to.data, i * to.stride, to.type), to.type, to.stride, n);
  }
}

// Where everything lies together (or is one number for the whole row) whole blocks are loaded and stored; what is left,
// and rows with gaps, go number by number in and out of a block.
[[gnu::always_inline]] inline void finish_body(finish const& f, float const* sums, source bias, source residual,
                                               target to, std::int64_t count) {
  std::int64_t i = 0;
  auto const whole_row = [](source const& s) { return !s.data || s.stride == 0 || s.stride == 1; };
  if (to.stride == 1 && whole_row(bias) && whole_row(residual) && count >= lanes) {
    block b_all(0.f), r_all(0.f);
    if (bias.data && bias.stride == 0) b_all = load(bias.data, bias.type, 0, lanes);
    if (residual.data && residual.stride == 0) r_all = load(residual.data, residual.type, 0, lanes);
    for (; i + lanes <= count; i += lanes) {
      block b = load_whole(sums + i, data_type::f32) * f.scale;
      if (bias.data) b = b + (bias.stride ? load_whole(advance(bias.data, i, bias.type), bias.type) : b_all);
      b = apply(f.function, b);
      if (residual.data)
        b = b + (residual.stride ? load_whole(advance(residual.data, i, residual.type), residual.type) : r_all);
      store_whole(b, advance(to.data, i, to.type), to.type);
    }
  }
  for (; i < count; i += lanes) {
    int const n = at_most_lanes(count - i);
    block b = load(sums + i, data_type::f32, 1, n) * f.scale;
    if (bias.data) b = b + load(advance(bias.data, i * bias.stride, bias.type), bias.type, bias.stride, n);
    b = apply(f.function, b);
    if (residual.data)
      b = b + load(advance(residual.data, i * residual.stride, residual.type), residual.type, residual.stride, n);
    store(b, advance(to.data, i * to.stride, to.type), to.type, to.stride, n);
  }
}

#ifdef ATTEND_CONTRACTION_TWO_MACHINES
inline bool const has_avx2 = (__builtin_cpu_init(), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
[[gnu::target("avx2,fma")]] inline void convert_avx2(source from, target to, std::int64_t count) {
  convert_body(from, to, count);
}
[[gnu::target("avx2,fma")]] inline void finish_avx2(finish const& f, float const* sums, source bias, source residual,
                                                    target to, std::int64_t count) {
  finish_body(f, sums, bias, residual, to, count);
}
#endif

/// Converts `count` numbers; also copies (f32 to f32, bf16 to bf16).
inline void convert_row(source from, target to, std::int64_t count) {
#ifdef ATTEND_CONTRACTION_TWO_MACHINES
  if (has_avx2) return convert_avx2(from, to, count);
#endif
  convert_body(from, to, count);
}

/// to = function(scale * sums + bias) + residual; `to` may be where the sums are, or the residual.
inline void finish_row(finish const& f, float const* sums, source bias, source residual, target to,
                       std::int64_t count) {
#ifdef ATTEND_CONTRACTION_TWO_MACHINES
  if (has_avx2) return finish_avx2(f, sums, bias, residual, to, count);
#endif
  finish_body(f, sums, bias, residual, to, count);
}

} // namespace attend::kernels::contraction::detail
#undef ATTEND_CONTRACTION_TWO_MACHINES
