// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Two vectors of numbers at a time: conversions between f32, bf16 and f16, and the elementary functions of the epilogue.
// Written in the vector types g++ and clang share, without branches; of the instruction set only the vectors' width and
// its power of two are named here: the function that these are inlined into says which machine they are compiled for.
#pragma once
#include <attend/kernels/contraction/problem.hpp>
#include <attend/kernels/cpu/isa.hpp>
#include <cstring>

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail {

inline constexpr int vector_bytes = cpu::machine::lanes > 8 ? 64 : 32;
inline constexpr int lanes = 2 * vector_bytes / 4;

// A value for each lane, as two vectors: enough independent work to keep the units busy, and, unlike a bare vector, passed
// the same way whether or not the machine has registers of that width.
template <class T>
struct pack {
  using vector __attribute__((vector_size(vector_bytes))) = T;
  vector low, high;

  pack() = default;
  [[gnu::always_inline]] pack(T x) : low(vector{} + x), high(vector{} + x) {}
  [[gnu::always_inline]] pack(vector const& l, vector const& h) : low(l), high(h) {}
  template <class U>
  [[gnu::always_inline]] static pack same_bits(pack<U> const& x) {
    return {(vector)x.low, (vector)x.high};
  }
  template <class U>
  [[gnu::always_inline]] static pack converted(pack<U> const& x) {
    return {__builtin_convertvector(x.low, vector), __builtin_convertvector(x.high, vector)};
  }

#define ATTEND_PACK_OPERATOR(OP)                                                                                       \
  [[gnu::always_inline]] friend pack operator OP(pack const& a, pack const& b) {                                       \
    return {a.low OP b.low, a.high OP b.high};                                                                         \
  }
  ATTEND_PACK_OPERATOR(+)
  ATTEND_PACK_OPERATOR(-)
  ATTEND_PACK_OPERATOR(*)
  ATTEND_PACK_OPERATOR(/)
  ATTEND_PACK_OPERATOR(&)
  ATTEND_PACK_OPERATOR(|)
  ATTEND_PACK_OPERATOR(<<)
  ATTEND_PACK_OPERATOR(>>)
#undef ATTEND_PACK_OPERATOR
};
using block = pack<float>;         // numbers
using whole = pack<std::int32_t>;  // integers, and what comparisons give
using bits = pack<std::uint32_t>;  // bit patterns

// Outside the template: nvcc takes a comparison of dependent vectors for a bool.
#define ATTEND_PACK_COMPARISON(OP)                                                                                     \
  [[gnu::always_inline]] inline whole operator OP(block const& a, block const& b) { return {a.low OP b.low, a.high OP b.high}; } \
  [[gnu::always_inline]] inline whole operator OP(whole const& a, whole const& b) { return {a.low OP b.low, a.high OP b.high}; } \
  [[gnu::always_inline]] inline whole operator OP(bits const& a, bits const& b) { return {a.low OP b.low, a.high OP b.high}; }
ATTEND_PACK_COMPARISON(<)
ATTEND_PACK_COMPARISON(>)
#undef ATTEND_PACK_COMPARISON

// As many numbers of 16 bits, as they are stored.
struct halves {
  using vector __attribute__((vector_size(vector_bytes / 2))) = std::uint16_t;
  vector low, high;
};
[[gnu::always_inline]] inline bits widened(halves const& h) {
  return {__builtin_convertvector(h.low, bits::vector), __builtin_convertvector(h.high, bits::vector)};
}
[[gnu::always_inline]] inline halves narrowed(bits const& x) {
  return {__builtin_convertvector(x.low, halves::vector), __builtin_convertvector(x.high, halves::vector)};
}

[[gnu::always_inline]] inline bits as_bits(block const& x) { return bits::same_bits(x); }
[[gnu::always_inline]] inline block as_block(bits const& x) { return block::same_bits(x); }
[[gnu::always_inline]] inline block select(whole const& c, block const& yes, block const& no) { return {c.low ? yes.low : no.low, c.high ? yes.high : no.high}; }
[[gnu::always_inline]] inline bits select(whole const& c, bits const& yes, bits const& no) { return {c.low ? yes.low : no.low, c.high ? yes.high : no.high}; }
[[gnu::always_inline]] inline block abs_of(block const& x) { return as_block(as_bits(x) & 0x7fffffffu); }

// bf16 -> f32, exact.
[[gnu::always_inline]] inline block from_bf16(halves const& h) { return as_block(widened(h) << 16u); }

// f32 -> bf16, to nearest even; NaN stays NaN.
[[gnu::always_inline]] inline halves to_bf16(block const& x) {
  bits const u = as_bits(x);
  bits const rounded = (u + 0x7fffu + ((u >> 16u) & 1u)) >> 16u;
  bits const quiet = (u >> 16u) | 0x40u;
  return narrowed(select(whole::same_bits(u & 0x7fffffffu) > 0x7f800000, quiet, rounded));
}

// f16 -> f32, exact; numbers below the normal range by way of an integer.
[[gnu::always_inline]] inline block from_f16(halves const& h) {
  bits const u = widened(h);
  whole const a = whole::same_bits(u & 0x7fffu);
  bits const sign = (u & 0x8000u) << 16u;
  bits const small = as_bits(block::converted(a) * 0x1p-24f);
  bits const shifted = bits::same_bits(a) << 13u;
  bits const special = select(a < 0x7c00, shifted + (112u << 23), shifted + (224u << 23)); // infinity and NaN
  return as_block(sign | select(a < 0x400, small, special));
}

// f32 -> f16, to nearest even, beyond the range to infinity; NaN stays NaN. Adding 0.5, whose last place is f16's
// smallest number, rounds what falls below f16's normal range.
[[gnu::always_inline]] inline halves to_f16(block const& x) {
  bits const u = as_bits(x);
  bits const a = u & 0x7fffffffu;
  whole const order = whole::same_bits(a);
  bits const normal = (a + 0xfffu + ((a >> 13u) & 1u) - (112u << 23)) >> 13u;
  bits const small = as_bits(as_block(a) + 0.5f) - 0x3f000000u;
  bits const special = select(order > 0x7f800000, 0x7e00u | ((a >> 13u) & 0x3ffu), bits(0x7c00u));
  bits const finite = select(order < 0x38800000, small, normal);
  bits const magnitude = select(order < 0x47800000, finite, special);
  return narrowed(((u >> 16u) & 0x8000u) | magnitude);
}

template <class Vector>
[[gnu::always_inline]] inline void read(Vector& low, Vector& high, void const* from) {
  std::memcpy(&low, from, sizeof low);
  std::memcpy(&high, static_cast<std::byte const*>(from) + sizeof low, sizeof high);
}
template <class Vector>
[[gnu::always_inline]] inline void write(Vector const& low, Vector const& high, void* to) {
  std::memcpy(to, &low, sizeof low);
  std::memcpy(static_cast<std::byte*>(to) + sizeof low, &high, sizeof high);
}

// As many numbers as there are lanes, lying together.
[[gnu::always_inline]] inline block load_whole(void const* from, data_type type) {
  if (type == data_type::f32) {
    block::vector low, high;
    read(low, high, from);
    return {low, high};
  }
  halves h;
  read(h.low, h.high, from);
  return type == data_type::bf16 ? from_bf16(h) : from_f16(h);
}
[[gnu::always_inline]] inline void store_whole(block const& b, void* to, data_type type) {
  if (type == data_type::f32) return write(b.low, b.high, to);
  if (type == data_type::bf16) {
    halves const h = to_bf16(b);
    return write(h.low, h.high, to);
  }
  halves const h = to_f16(b);
  write(h.low, h.high, to);
}

[[gnu::always_inline]] inline void const* advance(void const* p, std::int64_t elements, data_type type) {
  return static_cast<std::byte const*>(p) + elements * static_cast<std::int64_t>(size_of(type));
}
[[gnu::always_inline]] inline void* advance(void* p, std::int64_t elements, data_type type) {
  return static_cast<std::byte*>(p) + elements * static_cast<std::int64_t>(size_of(type));
}

[[gnu::always_inline]] inline block power_of_two(whole const& k) { return as_block((bits::same_bits(k) + 127u) << 23u); }

// x times 2 to the power of n, a whole number from -252 to 252: one instruction, or two steps that reach the subnormals.
template <class M>
inline constexpr bool has_scale = requires(typename M::floats x) { M::scale(x, x); };
template <class M = cpu::machine>
[[gnu::always_inline]] inline block scaled(block const& x, block const& n) {
  if constexpr (has_scale<M>) return {M::scale(x.low, n.low), M::scale(x.high, n.high)};
  else {
    whole const exponent = whole::converted(n), half = exponent >> 1;
    return x * power_of_two(half) * power_of_two(exponent - half);
  }
}

// Adding it rounds to a whole number: 1.5 * 2^23.
inline constexpr float to_whole = 12582912.f;

// exp(high + low), low being small: 2^n e^r, r in [-ln 2 / 2, ln 2 / 2].
[[gnu::always_inline]] inline block exp_of(block const& high, block const& low) {
  block x = select(high < -104.f, block(-104.f), high);
  x = select(x > 89.f, block(89.f), x);
  block const n = (x * 1.44269504f + to_whole) - to_whole;
  block const r = ((x - n * 0.693359375f) + n * 2.12194440e-4f) + low;
  block q = r * 1.39261977e-3f + 8.36319033e-3f;
  q = q * r + 4.16665545e-2f;
  q = q * r + 0.166665769f;
  q = q * r + 0.5f;
  return scaled((q * r) * r + r + 1.f, n);
}

[[gnu::always_inline]] inline block sqrt_of(block const& x) {
  float at[lanes];
  write(x.low, x.high, at);
  for (float& one : at) one = __builtin_sqrtf(one);
  return load_whole(at, data_type::f32);
}

// A function of x in two halves with an exp between, so that the code of exp is there once for all of them: what it is
// taken of, and what its value e and `side` become.
struct before_exp {
  block of, rest; // exp(of + rest)
  block side;
};

// x times the normal distribution function. Its lower tail is exp(-a^2/2) R(a), a = |x|, R a polynomial in
// 1 / (1 + 0.35 a); the square is kept in two parts, so the result is right relatively, far into the tail.
[[gnu::always_inline]] inline before_exp gelu_before(block const& x) {
  block const a = select(abs_of(x) > 20.f, block(20.f), abs_of(x)); // from where on the tail is 0
  block const head = as_block(as_bits(a) & 0xfffff000u);
  block const t = 1.f / (1.f + 0.35f * a);
  block p = t * -2.85311099e-2f + 0.141272321f;
  p = p * t - 0.250737578f;
  p = p * t + 0.154166237f;
  p = p * t - 2.01176703e-2f;
  p = p * t + 0.104427479f;
  p = p * t + 0.120061718f;
  p = p * t + 0.139836043f;
  p = p * t + 0.139622584f;
  return {-0.5f * head * head, -0.5f * (a - head) * (a + head), p * t};
}
[[gnu::always_inline]] inline block gelu_after(block const& x, block const& side, block const& e) {
  block const tail = e * side;
  return x * select(x < 0.f, tail, 1.f - tail);
}

// tanh x by exp(-2 |x|), and by a polynomial where that would lose places.
[[gnu::always_inline]] inline before_exp tanh_before(block const& x) {
  block const a = abs_of(x), z = a * a;
  block q = z * -6.10017094e-3f + 2.09995525e-2f;
  q = q * z - 5.38514094e-2f;
  q = q * z + 0.133327730f;
  q = q * z - 0.333333290f;
  return {-2.f * a, 0.f, (q * z) * a + a};
}
[[gnu::always_inline]] inline block tanh_after(block const& x, block const& side, block const& e) {
  block const magnitude = select(abs_of(x) < 0.625f, side, (1.f - e) / (1.f + e));
  return as_block(as_bits(magnitude) | (as_bits(x) & 0x80000000u));
}

// The sigmoid of x; exp is taken of what never overflows.
[[gnu::always_inline]] inline before_exp sigmoid_before(block const& x) { return {0.f - abs_of(x), 0.f, x}; }
[[gnu::always_inline]] inline block sigmoid_after(block const& x, block const& e) {
  return select(x < 0.f, e, block(1.f)) / (1.f + e);
}

[[gnu::always_inline]] inline block apply(activation function, block const& x) {
  before_exp h{x, 0.f, x};
  switch (function) {
  case activation::none: return x;
  case activation::relu: return select(x < 0.f, block(0.f), x);
  case activation::abs: return abs_of(x);
  case activation::sqrt: return sqrt_of(x);
  case activation::square: return x * x;
  case activation::exp: break;
  case activation::gelu: h = gelu_before(x); break;
  case activation::tanh: h = tanh_before(x); break;
  case activation::gelu_tanh: h = sigmoid_before(1.59576912f * (x + 0.044715f * x * x * x)); break;
  case activation::silu:
  case activation::sigmoid: h = sigmoid_before(x); break;
  }
  block const e = exp_of(h.of, h.rest);
  switch (function) {
  case activation::gelu: return gelu_after(x, h.side, e);
  case activation::tanh: return tanh_after(x, h.side, e);
  case activation::gelu_tanh:
  case activation::silu: return x * sigmoid_after(h.side, e);
  case activation::sigmoid: return sigmoid_after(h.side, e);
  default: return e;
  }
}

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail
