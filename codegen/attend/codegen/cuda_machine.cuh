// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A CUDA device as a machine: a stream, and memory that is there before or in the order of the stream. Every status of
// CUDA is checked and becomes a cuda_error.
#pragma once
#include <attend/codegen/machine.hpp>
#include <attend/errors.hpp>
#include <cuda_runtime.h>
#include <span>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {
namespace detail {

[[noreturn, gnu::cold, gnu::noinline]] inline void cuda_failed(cudaError_t status, char const* call) {
  throw cuda_error(std::string(call) + " failed: " + cudaGetErrorName(status) + ": " + cudaGetErrorString(status));
}
/// Throws cuda_error unless a call has succeeded.
inline void check(cudaError_t status, char const* call) {
  if (status != cudaSuccess) cuda_failed(status, call);
}
[[noreturn, gnu::cold, gnu::noinline]] inline void no_device(cudaError_t status) {
  throw cuda_error(std::string("operands in device memory require a CUDA device, and this program finds none: cudaGetDeviceCount says ") +
                   (status == cudaSuccess ? "0" : std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status)));
}
/// Throws cuda_error where there is no device: one sentence, whatever is asked of it first.
inline void require_device() {
  static bool const there = [] {
    int count = 0;
    cudaError_t const status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess || count == 0) no_device(status);
    return true;
  }();
  static_cast<void>(there);
}

/// Device memory from now in the order of a stream until it is given back in the order of the same stream.
class stream_memory {
public:
  stream_memory(cudaStream_t stream, long bytes) : stream_(stream) {
    if (bytes > 0) check(cudaMallocAsync(&memory_, static_cast<std::size_t>(bytes), stream), "cudaMallocAsync");
  }
  stream_memory(void* caller) : memory_(caller), owned_(false) {}
  stream_memory(stream_memory const&) = delete;
  ~stream_memory() {
    if (owned_ && memory_) static_cast<void>(cudaFreeAsync(memory_, stream_)); // what fails here has failed before: a later call says so
  }
  std::byte* data() const { return static_cast<std::byte*>(memory_); }

private:
  cudaStream_t stream_ = nullptr;
  void* memory_ = nullptr;
  bool owned_ = true;
};

/// Device memory until the last that holds it lets go. cudaFree waits for what still runs on it.
template <class T>
std::shared_ptr<T[]> allocate_on_device(long n) {
  require_device();
  if (n > std::numeric_limits<long>::max() / static_cast<long>(sizeof(T))) throw std::bad_alloc();
  void* memory = nullptr;
  if (n > 0) check(cudaMalloc(&memory, static_cast<std::size_t>(n) * sizeof(T)), "cudaMalloc");
  return {static_cast<T*>(memory), [](T* p) { static_cast<void>(cudaFree(p)); }}; // at the program's end CUDA may be gone already
}
/// A tensor of device memory whose elements are not set, or the rule that its description breaks.
template <class T, class... E>
auto raw_on_device(E... e) {
  using namespace attend::detail;
  if constexpr (!extents_are_right<T, E...>) return checked_extents<T, E...>();
  else {
    auto v = shaped<T, struct cuda>(static_cast<T*>(nullptr), e...);
    auto memory = allocate_on_device<T>(v.size());
    v.data = memory.get();
    return [&]<class S, class... A>(tensor_view<T, S, A...> const& whole) { return attend::tensor<T, S, A...>(std::move(memory), whole); }(v);
  }
}

/// The current device's stream.
struct cuda_machine {
  using space = struct cuda;
  static constexpr bool is_machine = true, checks_ids = false, takes_all = false, streams = false;
  cudaStream_t stream = nullptr;
  std::span<std::byte> workspace{}; // the caller's
  bool only_workspace = false;      // and nothing else

  /// The caller's workspace, or as much in the order of the stream.
  stream_memory memory(long bytes) const {
    require_device();
    if (!only_workspace) return stream_memory(stream, bytes);
    return stream_memory(given_workspace("evaluate(on(stream, workspace), x)", workspace, bytes));
  }
  template <class T>
  struct elements {
    stream_memory memory;
    T* get() const { return reinterpret_cast<T*>(memory.data()); }
  };
  template <class T>
  elements<T> aside(long count) const {
    return {stream_memory(stream, count * static_cast<long>(sizeof(T)))};
  }
  template <class T, class... E>
  static auto tensor(E... e) {
    return attend::detail::reported(raw_on_device<T>(e...));
  }
};

} // namespace detail

template <>
struct machine_for<struct cuda> {
  using type = detail::cuda_machine;
};

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
