// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The instructions of kernels/attend/kernels/cuda/ptx.cuh as the emulator executes them: found first on the include path,
// it takes that header's place and kernels stay as they are.
#pragma once
#include <attend/types.hpp>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <cuda_runtime.h>
#include <emulator/emulator.hpp>
#include <source_location>

#ifndef __launch_bounds__
#define __launch_bounds__(...) // the one keyword that the toolkit's headers keep to nvcc
#endif

namespace attend::kernels::cuda::ptx {

using place = std::source_location;

inline constexpr int warp_size = 32;

inline int thread_index() { return static_cast<int>(emulator::thread_index()); }
inline emulator::position block_index() { return emulator::block_index(); }
inline std::uint32_t dynamic_shared() { return emulator::shared_base(); }
inline void block_barrier(place where = place::current()) { emulator::barrier(where); }

template <class T>
T shuffle_xor(T x, int mask, place where = place::current()) {
  emulator::shuffle(&x, sizeof x, mask, where);
  return x;
}
inline std::uint32_t ballot(bool vote, place where = place::current()) { return emulator::ballot(vote, where); }

template <class T>
T load_shared(std::uint32_t from, place where = place::current()) {
  T x;
  emulator::load_shared(from, &x, sizeof x, where);
  return x;
}
template <class T>
void store_shared(std::uint32_t to, T const& x, place where = place::current()) {
  emulator::store_shared(to, &x, sizeof x, where);
}

template <int Bytes>
void copy_async(std::uint32_t to, void const* from, bool there, place where = place::current()) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  emulator::copy_async(to, from, Bytes, there ? Bytes : 0, where);
}
inline void copy_async_commit(place where = place::current()) { emulator::copy_async_commit(where); }
template <int Pending>
void copy_async_wait(place where = place::current()) {
  emulator::copy_async_wait(Pending, where);
}

inline int lowest_bit(std::uint32_t bits) { return __builtin_ctz(bits); }

inline void load_matrix(std::uint32_t (&registers)[4], std::uint32_t row, place where = place::current()) {
  emulator::load_matrix(registers, 4, row, false, where);
}
inline void load_matrix_transposed(std::uint32_t (&registers)[4], std::uint32_t row, place where = place::current()) {
  emulator::load_matrix(registers, 4, row, true, where);
}

template <class T>
void product_m16n8k16(float (&d)[4], std::uint32_t const (&a)[4], std::uint32_t const (&b)[2], place where = place::current()) {
  emulator::product(std::is_same_v<T, bf16> ? emulator::operand::bf16 : emulator::operand::f16, d, a, b, where);
}
inline void product_m16n8k8(float (&d)[4], std::uint32_t const (&a)[4], std::uint32_t const (&b)[2], place where = place::current()) {
  emulator::product(emulator::operand::tf32, d, a, b, where);
}
inline std::uint32_t as_bits(float x) { return std::bit_cast<std::uint32_t>(x); }
inline float as_float(std::uint32_t bits) { return std::bit_cast<float>(bits); }
/// To nearest, away from zero where two are as near.
inline std::uint32_t to_tf32(float x) { return std::isfinite(x) ? (as_bits(x) + 0x1000u) & ~0x1fffu : as_bits(x); }

template <class T>
std::uint32_t pack(float low, float high) {
  std::uint32_t bits;
  if constexpr (std::is_same_v<T, bf16>) {
    auto const pair = __floats2bfloat162_rn(low, high);
    std::memcpy(&bits, &pair, sizeof bits);
  } else {
    auto const pair = __floats2half2_rn(low, high);
    std::memcpy(&bits, &pair, sizeof bits);
  }
  return bits;
}

template <class T>
float2 unpack(std::uint32_t bits) {
  auto const number = [](std::uint32_t half) {
    if constexpr (std::is_same_v<T, bf16>) return as_float(half << 16);
    else return __half2float(__half(__half_raw{static_cast<std::uint16_t>(half)}));
  };
  return {number(bits & 0xffffu), number(bits >> 16)};
}

/// Like the hardware's, it gives 0 for what would be denormal.
inline float exp2(float x) {
  float const y = std::exp2(x);
  return y < 0x1p-126f ? 0.0f : y;
}
inline float reciprocal(float x) { return 1 / x; }

inline cudaError_t shared_bytes_of_device(int& bytes) {
  bytes = emulator::options.shared_bytes;
  return cudaSuccess;
}

struct launch_shape {
  char const* name;
  dim3 grid;
  int threads;
  std::size_t shared_bytes;
  cudaStream_t stream;
};
template <class... Parameters, class... Arguments>
cudaError_t launch(launch_shape const& shape, void (*kernel)(Parameters...), Arguments const&... arguments) {
  emulator::run(shape.name, {shape.grid.x, shape.grid.y, shape.grid.z}, static_cast<unsigned>(shape.threads), shape.shared_bytes,
                [&] { kernel(Parameters(arguments)...); });
  return cudaSuccess;
}

} // namespace attend::kernels::cuda::ptx
