// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The numbers that functors compute with in CUDA kernels: an f32, and positions that stay 32 bits wide while they can,
// since a GPU's threads have no more to compute whole numbers with.
#pragma once
#include <attend/kernels/functor.hpp>
#include <cuda_runtime.h>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {

/// An f32.
struct real {
  float x;

  __host__ __device__ friend real operator+(real a, real b) { return {a.x + b.x}; }
  __host__ __device__ friend real operator-(real a, real b) { return {a.x - b.x}; }
  __host__ __device__ friend real operator*(real a, real b) { return {a.x * b.x}; }
  __host__ __device__ friend real operator/(real a, real b) { return {a.x / b.x}; }
  __host__ __device__ friend bool operator<(real a, real b) { return a.x < b.x; }
  __host__ __device__ friend bool operator<=(real a, real b) { return a.x <= b.x; }
  __host__ __device__ friend bool operator==(real a, real b) { return a.x == b.x; }
  __host__ __device__ friend bool operator!=(real a, real b) { return a.x != b.x; }
};
// max and min hand on a NaN.
__host__ __device__ inline real max(real a, real b) { return a.x > b.x || a.x != a.x ? a : b; }
__host__ __device__ inline real min(real a, real b) { return a.x < b.x || a.x != a.x ? a : b; }
__host__ __device__ inline real abs(real a) { return {::fabsf(a.x)}; }
__host__ __device__ inline real floor(real a) { return {::floorf(a.x)}; }
__host__ __device__ inline real exp(real a) { return {::expf(a.x)}; }
__host__ __device__ inline real log(real a) { return {::logf(a.x)}; }
__host__ __device__ inline real sqrt(real a) { return {::sqrtf(a.x)}; }
__host__ __device__ inline real rsqrt(real a) { return {1 / ::sqrtf(a.x)}; }
__host__ __device__ inline real sin(real a) { return {::sinf(a.x)}; }
__host__ __device__ inline real cos(real a) { return {::cosf(a.x)}; }
__host__ __device__ inline real tanh(real a) { return {::tanhf(a.x)}; }
__host__ __device__ inline real erf(real a) { return {::erff(a.x)}; }
__host__ __device__ inline real pow(real a, real b) { return {::powf(a.x, b.x)}; }
__host__ __device__ inline real sigmoid(real a) { return {1 / (1 + ::expf(-a.x))}; }

/// The most rows or keys: an f32 holds such positions and their differences exactly.
inline constexpr long most_positions = 1l << 24;

/// A position along the rows or the keys, or a difference of positions: as a whole number and as an f32, of which a kernel
/// computes what it uses. Neighbours are an addition apart in both, while a conversion costs as much as an exponential.
struct position {
  int at;
  float number;

  __host__ __device__ static position of(int at) { return {at, static_cast<float>(at)}; }
  /// The position so many, a constant, further.
  __host__ __device__ position further(int by) const { return {at + by, number + static_cast<float>(by)}; }

  __host__ __device__ explicit operator long() const { return at; }
  __host__ __device__ friend position operator-(position a, position b) { return {a.at - b.at, a.number - b.number}; }
  __host__ __device__ friend bool operator<(position a, position b) { return a.at < b.at; }
  __host__ __device__ friend bool operator<=(position a, position b) { return a.at <= b.at; }
  __host__ __device__ friend bool operator==(position a, position b) { return a.at == b.at; }
  __host__ __device__ friend bool operator!=(position a, position b) { return a.at != b.at; }
  // Anything else may need 64 bits.
  __host__ __device__ friend long operator+(position a, position b) { return static_cast<long>(a.at) + b.at; }
  __host__ __device__ friend long operator+(position a, long b) { return a.at + b; }
  __host__ __device__ friend long operator+(long a, position b) { return a + b.at; }
  __host__ __device__ friend long operator-(position a, long b) { return a.at - b; }
  __host__ __device__ friend long operator-(long a, position b) { return a - b.at; }
  __host__ __device__ friend long operator*(position a, position b) { return static_cast<long>(a.at) * b.at; }
  __host__ __device__ friend long operator*(position a, long b) { return a.at * b; }
  __host__ __device__ friend long operator*(long a, position b) { return a * b.at; }
  __host__ __device__ friend bool operator<(position a, long b) { return a.at < b; }
  __host__ __device__ friend bool operator<(long a, position b) { return a < b.at; }
  __host__ __device__ friend bool operator<=(position a, long b) { return a.at <= b; }
  __host__ __device__ friend bool operator<=(long a, position b) { return a <= b.at; }
  __host__ __device__ friend bool operator==(position a, long b) { return a.at == b; }
  __host__ __device__ friend bool operator==(long a, position b) { return a == b.at; }
  __host__ __device__ friend bool operator!=(position a, long b) { return a.at != b; }
  __host__ __device__ friend bool operator!=(long a, position b) { return a != b.at; }
};
__host__ __device__ inline position max(position a, position b) { return a.at > b.at ? a : b; }
__host__ __device__ inline position min(position a, position b) { return a.at < b.at ? a : b; }
__host__ __device__ inline long max(position a, long b) { return a.at > b ? a.at : b; }
__host__ __device__ inline long min(position a, long b) { return a.at < b ? a.at : b; }
__host__ __device__ inline long max(long a, position b) { return max(b, a); }
__host__ __device__ inline long min(long a, position b) { return min(b, a); }
__host__ __device__ inline long random_bits(position at, long seed) { return kernels::random_bits(static_cast<long>(at.at), seed); }

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda

namespace attend::kernels {

template <>
struct number<cuda::real> {
  using logic = bool;
  using index = cuda::position;
  using integer = long;
  __host__ __device__ static cuda::real from(double x) { return {static_cast<float>(x)}; }
  __host__ __device__ static cuda::real from(long x) { return {static_cast<float>(x)}; }
  __host__ __device__ static cuda::real from(cuda::position x) { return {x.number}; }
  __host__ __device__ static cuda::real infinity() { return {std::numeric_limits<float>::infinity()}; }
  __host__ __device__ static cuda::real select(bool c, cuda::real x, cuda::real y) { return c ? x : y; }
  __host__ __device__ static long select(bool c, long x, long y) { return c ? x : y; }
  /// masked(c, x): minus infinity where c is false.
  __host__ __device__ static cuda::real masked(bool c, cuda::real x) { return {c ? x.x : -std::numeric_limits<float>::infinity()}; }
  __host__ __device__ static long truncate(cuda::real x) { return static_cast<long>(x.x); }
  template <class T>
  __host__ __device__ static cuda::real round(cuda::real x) { return {number<float>::template round<T>(x.x)}; }
};

} // namespace attend::kernels
