// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The two passes over rows of numbers: bringing an operand into the form the product wants, and finishing sums.
// Both are compiled twice, for the machine the program is compiled for and for AVX2 with FMA; which one runs is
// decided at run time, so that a program compiled for any x86-64 does not pay for it.
#pragma once
#include <algorithm>
#include <attend/kernels/contraction/block.hpp>
#if defined(__x86_64__) && !(defined(__AVX2__) && defined(__FMA__))
#define ATTEND_CONTRACTION_TWO_MACHINES 1
#endif

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail {

/// `count` numbers, `stride` apart.
template <class Pointer>
struct span {
  Pointer data = nullptr;
  data_type type = data_type::f32;
  std::int64_t stride = 0;
};
using source = span<void const*>;
using target = span<void*>;

/// What is done to a row of sums.
struct finish {
  float scale = 1;
  activation function = activation::none;
};

/// What goes into a row and where it goes; bias and residual without data are absent. Handed on by reference: a copy would
/// read, by whole vectors, what was just written field by field, and wait for it.
struct row_operands {
  float const* sums;
  source bias, residual;
  target to;
};

template <class Pointer>
[[gnu::always_inline]] inline span<Pointer> skip(span<Pointer> const& s, std::int64_t count) {
  return {advance(s.data, count * s.stride, s.type), s.type, s.stride};
}

// At least as many numbers as there are lanes, that lie together on both sides; the last block may overlap the one before.
template <data_type From, data_type To>
[[gnu::always_inline]] inline void convert_blocks(void const* from, void* to, std::int64_t count) {
  for (std::int64_t i = 0;; i += lanes) {
    i = std::min(i, count - lanes);
    store_whole(load_whole(advance(from, i, From), From), advance(to, i, To), To);
    if (i == count - lanes) return;
  }
}

template <std::size_t Bytes>
[[gnu::always_inline]] inline void copy_one_by_one(source from, target to, std::int64_t count) {
  auto const* p = static_cast<std::byte const*>(from.data);
  auto* q = static_cast<std::byte*>(to.data);
  auto const p_step = from.stride * std::int64_t(Bytes), q_step = to.stride * std::int64_t(Bytes);
  for (; count > 0; --count, p += p_step, q += q_step) std::memcpy(q, p, Bytes);
}
/// Copies between spans of one type.
inline void copy_row(source from, target to, std::int64_t count) {
  if (from.stride == 1 && to.stride == 1)
    std::memcpy(to.data, from.data, static_cast<std::size_t>(count) * size_of(from.type));
  else if (from.type == data_type::f32) copy_one_by_one<4>(from, to, count);
  else copy_one_by_one<2>(from, to, count);
}

// What a row is taken through buffers by: they stay in the first-level cache.
inline constexpr std::int64_t part = 256;

// One of the two types is f32, the other is not. Numbers with gaps, and fewer than a block, go through buffers.
[[gnu::always_inline]] inline void convert_body(source from, target to, std::int64_t count) {
  std::byte read[part * sizeof(float)], written[part * sizeof(float)];
  for (std::int64_t n = 0; count > 0; count -= n, from = skip(from, n), to = skip(to, n)) {
    n = from.stride == 1 && to.stride == 1 ? count : std::min(part, count);
    bool const gather = from.stride != 1 || n < lanes, scatter = to.stride != 1 || n < lanes;
    if (n < lanes) std::memset(read, 0, lanes * sizeof(float));
    if (gather) copy_row(from, {read, from.type, 1}, n);
    auto const* const in = gather ? read : from.data;
    auto* const out = scatter ? written : to.data;
    auto const size = std::max<std::int64_t>(n, lanes);
    if (from.type == data_type::bf16) convert_blocks<data_type::bf16, data_type::f32>(in, out, size);
    else if (from.type == data_type::f16) convert_blocks<data_type::f16, data_type::f32>(in, out, size);
    else if (to.type == data_type::bf16) convert_blocks<data_type::f32, data_type::bf16>(in, out, size);
    else convert_blocks<data_type::f32, data_type::f16>(in, out, size);
    if (scatter) copy_row({written, to.type, 1}, to, n);
  }
}

inline void convert_row(source from, target to, std::int64_t count);

// Whether there are no numbers, or they can be read where they are, block by block.
[[gnu::always_inline]] inline bool lie_together(source const& s) { return !s.data || (s.stride == 1 && s.type != data_type::f16); }
// Others are brought together in the buffer, as f32.
[[gnu::noinline]] inline void const* gathered(source from, std::int64_t count, float* buffer) {
  if (from.stride != 0) convert_row(from, {buffer, data_type::f32, 1}, count);
  else {
    convert_row(from, {buffer, data_type::f32, 1}, 1);
    block const all(*buffer);
    for (std::int64_t i = 0; i < count; i += lanes) store_whole(all, buffer + i, data_type::f32);
  }
  return buffer;
}

// The block from number i on of f32 or bf16 lying together, of which `left` are left: as many as there are lanes, or what
// there is.
[[gnu::always_inline]] inline block load(void const* from, data_type type, std::int64_t i, std::int64_t left) {
  auto const type_here = type == data_type::f32 ? type : data_type::bf16;
  from = advance(from, i, type_here);
  if (left >= lanes) return load_whole(from, type_here);
  float some[lanes]{};
  std::memcpy(some, from, static_cast<std::size_t>(left) * size_of(type_here));
  return load_whole(some, type_here);
}
[[gnu::always_inline]] inline void store(block const& x, void* to, data_type type, std::int64_t i, std::int64_t left) {
  auto const type_here = type == data_type::f32 ? type : data_type::bf16;
  to = advance(to, i, type_here);
  if (left >= lanes) return store_whole(x, to, type_here);
  float some[lanes];
  store_whole(x, some, type_here);
  std::memcpy(to, some, static_cast<std::size_t>(left) * size_of(type_here));
}

[[gnu::always_inline]] inline void finish_body(finish const& f, row_operands const& row, std::int64_t count) {
  constexpr auto f32 = data_type::f32;
  float biases[part], residuals[part], results[part];
  source bias = row.bias, residual = row.residual;
  target to = row.to;
  bool const bias_there = lie_together(bias), residual_there = lie_together(residual);
  data_type const bias_type = bias_there ? bias.type : f32, residual_type = residual_there ? residual.type : f32;
  bool const direct = to.stride == 1 && to.type != data_type::f16;
  data_type const out_type = direct ? to.type : f32;
  for (std::int64_t first = 0; first < count; first += part) {
    auto const n = std::min(part, count - first);
    float const* const sums = row.sums + first;
    auto const* const b = bias_there ? bias.data : gathered(bias, n, biases);
    auto const* const r = residual_there ? residual.data : gathered(residual, n, residuals);
    auto* const out = direct ? to.data : results;
    for (std::int64_t i = 0; i < n; i += lanes) {
      block x = load(sums, f32, i, n - i) * f.scale;
      if (b) x = x + load(b, bias_type, i, n - i);
      x = apply(f.function, x);
      if (r) x = x + load(r, residual_type, i, n - i);
      store(x, out, out_type, i, n - i);
    }
    if (!direct) convert_row({results, f32, 1}, to, n);
    to = skip(to, n);
    if (b) bias = skip(bias, n);
    if (r) residual = skip(residual, n);
  }
}

#ifdef ATTEND_CONTRACTION_TWO_MACHINES
inline bool const has_avx2 = (__builtin_cpu_init(), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
[[gnu::target("avx2,fma")]] inline void convert_avx2(source from, target to, std::int64_t count) {
  convert_body(from, to, count);
}
[[gnu::target("avx2,fma")]] inline void finish_avx2(finish const& f, row_operands const& row, std::int64_t count) {
  finish_body(f, row, count);
}
#endif

/// Converts `count` numbers from or to f32, or copies them where both sides have one type.
inline void convert_row(source from, target to, std::int64_t count) {
  if (from.type == to.type) return copy_row(from, to, count);
#ifdef ATTEND_CONTRACTION_TWO_MACHINES
  if (has_avx2) return convert_avx2(from, to, count);
#endif
  convert_body(from, to, count);
}

/// to = function(scale * sums + bias) + residual; `to` may be where the sums are, or the residual.
inline void finish_row(finish const& f, row_operands const& row, std::int64_t count) {
#ifdef ATTEND_CONTRACTION_TWO_MACHINES
  if (has_avx2) return finish_avx2(f, row, count);
#endif
  finish_body(f, row, count);
}

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail
