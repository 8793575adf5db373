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

/// What is done to a row of sums; bias and residual without data are absent.
struct finish {
  float scale = 1;
  activation function = activation::none;
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

// The numbers of a span as f32 that lie together: where they are, or else in the buffer; null where there are none.
inline float const* numbers(source from, std::int64_t count, float* buffer) {
  if (!from.data || (from.type == data_type::f32 && from.stride == 1)) return static_cast<float const*>(from.data);
  if (from.stride != 0) convert_row(from, {buffer, data_type::f32, 1}, count);
  else {
    convert_row(from, {buffer, data_type::f32, 1}, 1);
    block const all(*buffer);
    for (std::int64_t i = 0; i < count; i += lanes) store_whole(all, buffer + i, data_type::f32);
  }
  return buffer;
}

// The next block of a row that has `left` numbers left: as many as there are lanes, or what there is.
[[gnu::always_inline]] inline block load(float const* from, std::int64_t left) {
  if (left >= lanes) return load_whole(from, data_type::f32);
  float some[lanes]{};
  std::memcpy(some, from, static_cast<std::size_t>(left) * sizeof(float));
  return load_whole(some, data_type::f32);
}
[[gnu::always_inline]] inline void store(block const& x, float* to, std::int64_t left) {
  if (left >= lanes) return store_whole(x, to, data_type::f32);
  float some[lanes];
  store_whole(x, some, data_type::f32);
  std::memcpy(to, some, static_cast<std::size_t>(left) * sizeof(float));
}

[[gnu::always_inline]] inline void finish_body(finish const& f, float const* sums, source bias, source residual,
                                               target to, std::int64_t count) {
  constexpr auto f32 = data_type::f32;
  float biases[part], residuals[part], results[part];
  for (std::int64_t n = 0; count > 0; count -= n, sums += n, to = skip(to, n)) {
    n = std::min(part, count);
    float const* const b = numbers(bias, n, biases);
    float const* const r = numbers(residual, n, residuals);
    bool const direct = to.type == f32 && to.stride == 1;
    float* const out = direct ? static_cast<float*>(to.data) : results;
    for (std::int64_t i = 0; i < n; i += lanes) {
      block x = load(sums + i, n - i) * f.scale;
      if (b) x = x + load(b + i, n - i);
      x = apply(f.function, x);
      if (r) x = x + load(r + i, n - i);
      store(x, out + i, n - i);
    }
    if (!direct) convert_row({out, f32, 1}, to, n);
    if (b) bias = skip(bias, n);
    if (r) residual = skip(residual, n);
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

/// Converts `count` numbers from or to f32, or copies them where both sides have one type.
inline void convert_row(source from, target to, std::int64_t count) {
  if (from.type == to.type) return copy_row(from, to, count);
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

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail
