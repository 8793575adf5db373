// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every instruction of the GPU that kernels use and C++ does not name. Nothing else contains assembly; a machine that
// executes kernels elsewhere brings a header of this name and puts it first on the include path.
#pragma once
#include <attend/types.hpp>
#include <cstddef>
#include <cstdint>
#include <cuda_runtime.h>

namespace attend::kernels::cuda::ptx {

/// Threads that run in step.
inline constexpr int warp_size = 32;

/// The thread's number in its one-dimensional block. Asked for anew each time, so that what follows from it is computed
/// again where it is used rather than kept in registers.
__device__ inline int thread_index() {
  int index;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(index));
  return index;
}
/// The block's position in the grid.
__device__ inline uint3 block_index() { return blockIdx; }

/// The 32-bit address of the shared memory that the launch asked for, aligned to 1024 bytes.
__device__ inline std::uint32_t dynamic_shared() {
  extern __shared__ __align__(1024) std::byte memory[];
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(memory));
}
/// Waits for all threads of the block and makes what they wrote seen.
__device__ inline void block_barrier() { __syncthreads(); }

/// The x of the lane whose number differs by `mask`.
template <class T>
__device__ T shuffle_xor(T x, int mask) {
  return __shfl_xor_sync(0xffffffffu, x, mask);
}
/// A bit for each lane.
__device__ inline std::uint32_t ballot(bool vote) { return __ballot_sync(0xffffffffu, vote); }

/// An element of shared memory.
template <class T>
__device__ T load_shared(std::uint32_t from) {
  return *static_cast<T const*>(__cvta_shared_to_generic(from));
}
template <class T>
__device__ void store_shared(std::uint32_t to, T const& x) {
  *static_cast<T*>(__cvta_shared_to_generic(to)) = x;
}

/// Begins to copy 4, 8 or 16 bytes to shared memory, zeros where they are not `there`. Both addresses are aligned to Bytes.
template <int Bytes>
__device__ void copy_async(std::uint32_t to, void const* from, bool there) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  if constexpr (Bytes == 16) // past the first cache: nobody reads it twice there
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(__cvta_generic_to_global(from)),
                 "r"(there ? 16 : 0)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(__cvta_generic_to_global(from)), "n"(Bytes),
                 "r"(there ? Bytes : 0)
                 : "memory");
}
/// Closes the group of copies that this thread began since the last one.
__device__ inline void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits until at most this many of the thread's groups are under way. Other threads see the copies after a barrier.
template <int Pending>
__device__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

/// The number of the lowest bit that is set.
__device__ inline int lowest_bit(std::uint32_t bits) { return __ffs(static_cast<int>(bits)) - 1; }

/// Four 8 x 8 matrices of 16-bit elements; lane i names row i % 8 of matrix i / 8 and gets, of each, the two elements
/// from column 2 (i % 4) on of row i / 4.
__device__ inline void load_matrix(std::uint32_t (&registers)[4], std::uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(row)
               : "memory");
}
/// The same of the transposed matrices.
__device__ inline void load_matrix_transposed(std::uint32_t (&registers)[4], std::uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(row)
               : "memory");
}

/// d (16, 8) += a (16, 16) b (16, 8), summed in f32. Lane l holds of a rows l / 4 and that plus 8 in registers 0 and 1, the
/// two columns from 2 (l % 4) on, in 2 and 3 those plus 8; of b column l / 4, rows as a's columns; of d rows as a, in
/// pairs of the same columns.
template <class T>
__device__ void product_m16n8k16(float (&d)[4], std::uint32_t const (&a)[4], std::uint32_t const (&b)[2]) {
  if constexpr (std::is_same_v<T, bf16>)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
/// The same of tf32, the bits of an f32 of which the lowest 13 do not count: a (16, 8), b (8, 8). Where the 16-bit one has
/// two columns of a, from 2 (l % 4) on, it has column l % 4.
__device__ inline void product_m16n8k8(float (&d)[4], std::uint32_t const (&a)[4], std::uint32_t const (&b)[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
/// The tf32 nearest to an f32.
__device__ inline std::uint32_t to_tf32(float x) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}
__device__ inline std::uint32_t as_bits(float x) { return __float_as_uint(x); }
__device__ inline float as_float(std::uint32_t bits) { return __uint_as_float(bits); }

/// Two numbers rounded to 16 bits, `low` in the lower half.
template <class T>
__device__ std::uint32_t pack(float low, float high) {
  std::uint32_t bits;
  if constexpr (std::is_same_v<T, bf16>) asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  else asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}
/// The two numbers.
template <class T>
__device__ float2 unpack(std::uint32_t bits) {
  if constexpr (std::is_same_v<T, bf16>) return {__uint_as_float(bits << 16), __uint_as_float(bits & 0xffff0000u)};
  else {
    float low, high;
    asm("{ .reg .f16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h; }" : "=f"(low), "=f"(high) : "r"(bits));
    return {low, high};
  }
}

/// 2^x within 2 units in the last place; 0 where that is below 2^-126.
__device__ inline float exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/// 1 / x within 1 unit in the last place.
__device__ inline float reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// What CUDA says of the current device.
inline cudaError_t attribute_of_device(cudaDeviceAttr what, int& value) {
  int device = 0;
  if (cudaError_t const status = cudaGetDevice(&device); status != cudaSuccess) return status;
  return cudaDeviceGetAttribute(&value, what, device);
}
/// The most shared memory that a block of the current device may have.
inline cudaError_t shared_bytes_of_device(int& bytes) { return attribute_of_device(cudaDevAttrMaxSharedMemoryPerBlockOptin, bytes); }

/// How a kernel is launched; blocks are one-dimensional.
struct launch_shape {
  char const* name; ///< as messages give it
  dim3 grid;
  int threads;
  std::size_t shared_bytes;
  cudaStream_t stream;
};
template <class... Parameters, class... Arguments>
cudaError_t launch(launch_shape const& shape, void (*kernel)(Parameters...), Arguments const&... arguments) {
  auto const bytes = static_cast<int>(shape.shared_bytes);
  if (cudaError_t const status = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes); status != cudaSuccess) return status;
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = dim3(static_cast<unsigned>(shape.threads));
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = shape.stream;
  return cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...);
}

} // namespace attend::kernels::cuda::ptx
