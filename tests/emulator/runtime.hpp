// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The calls of the CUDA runtime that evaluations make, on the emulator's memory: for one unit of a program. They count,
// and can be made to fail.
#pragma once
#include <cstring>
#include <cuda_runtime.h>
#include <emulator/emulator.hpp>
#include <map>

namespace attend::emulator {

/// What the program asked of the runtime since it was last set to {}.
struct runtime_calls {
  long allocations = 0, in_stream = 0, copies = 0, waits = 0;
  char const* fails = ""; ///< the call that fails
};
inline runtime_calls runtime;
inline int devices = 1;
inline std::map<void*, std::unique_ptr<global_memory>> device_memory;

inline cudaError_t allocate(void** p, std::size_t bytes, char const* call) {
  if (runtime.fails == std::string(call)) return cudaErrorMemoryAllocation;
  auto memory = std::make_unique<global_memory>("device memory", bytes);
  *p = memory->data();
  std::memset(*p, 0xff, bytes); // NaN, where floats are not written
  device_memory.emplace(*p, std::move(memory));
  return cudaSuccess;
}
inline cudaError_t free(void* p) {
  if (p && device_memory.erase(p) == 0) return cudaErrorInvalidValue;
  return cudaSuccess;
}

} // namespace attend::emulator

extern "C" {
cudaError_t cudaMalloc(void** p, size_t bytes) {
  ++attend::emulator::runtime.allocations;
  return attend::emulator::allocate(p, bytes, "cudaMalloc");
}
cudaError_t cudaFree(void* p) { return attend::emulator::free(p); }
cudaError_t cudaMallocAsync(void** p, size_t bytes, cudaStream_t) {
  ++attend::emulator::runtime.in_stream;
  return attend::emulator::allocate(p, bytes, "cudaMallocAsync");
}
cudaError_t cudaFreeAsync(void* p, cudaStream_t) { return attend::emulator::free(p); }
cudaError_t cudaMemcpyAsync(void* to, void const* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  ++attend::emulator::runtime.copies;
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  ++attend::emulator::runtime.waits;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = attend::emulator::devices;
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
char const* cudaGetErrorName(cudaError_t status) { return status == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaErrorNoDevice"; }
char const* cudaGetErrorString(cudaError_t status) { return status == cudaErrorMemoryAllocation ? "out of memory" : "no CUDA-capable device is detected"; }
}
