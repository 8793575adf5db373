// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Expressions in the memory of a CUDA device: evaluated by kernels that nvcc compiles, on a stream. attend.hpp and what
// brings tensors to a device and back.
#pragma once
#include <attend/attend.hpp>

#include <attend/codegen/cuda_launch.cuh>

namespace attend {

/// Device memory for the buffers of evaluations, as plan_of<E>::workspace(...) says how much. Throws cuda_error.
class cuda_workspace {
public:
  explicit cuda_workspace(long bytes) : memory_(codegen::detail::allocate_on_device<std::byte>(bytes)), bytes_(bytes) {}
  std::byte* data() const { return memory_.get(); }
  long size() const { return bytes_; }

private:
  std::shared_ptr<std::byte[]> memory_;
  long bytes_;
};

/// Where evaluations run that name a stream of the current device: evaluate(on(stream), x). What they need between steps
/// is allocated and freed in the order of the stream.
inline codegen::detail::cuda_machine on(cudaStream_t stream) { return {stream, {}, false}; }
/// The same with the caller's workspace, 64-byte aligned, which no other evaluation may use before this one is done:
/// evaluate(on(stream, workspace), into(out), x) allocates nothing and, once it has run, can be captured in a CUDA graph: the
/// first product makes cuBLASLt's handle. Throws argument_error where it is too small.
inline codegen::detail::cuda_machine on(cudaStream_t stream, std::span<std::byte> workspace) { return {stream, workspace, true}; }
inline codegen::detail::cuda_machine on(cudaStream_t stream, cuda_workspace const& workspace) {
  return {stream, {workspace.data(), static_cast<std::size_t>(workspace.size())}, true};
}

namespace detail::inline ATTEND_DETAIL_ISA {

template <class V>
bool is_row_major(V const& v) {
  V whole = v;
  row_major(whole);
  for (int i = 0; i < V::rank; ++i)
    if (v.extents[i] != 1 && v.strides[i] != whole.strides[i]) return false;
  return true;
}
template <class T, class S, class... A>
tensor_view<T const, S, A...> leaf_of(tensor_view<T const, S, A...> const& v) {
  return v;
}
template <class T, class S, class... A>
tensor_view<T const, S, A...> leaf_of(owned<T, S, A...> const& v) {
  return v.whole;
}
template <class E>
concept has_leaf = requires(E const& e) { leaf_of(e); };

/// Contiguous elements to a new tensor of a space.
template <class Space, class T, class S, class... A>
auto copied_to(cudaStream_t stream, tensor_view<T const, S, A...> const& from) {
  using machine = typename codegen::machine_for<Space>::type;
  codegen::detail::require_device();
  int i = 0;
  long const extents[sizeof...(A) + 1] = {((void)sizeof(A), from.extents[i++])..., 0};
  i = 0;
  auto to = [&]<std::size_t... I>(std::index_sequence<I...>) { return machine::template tensor<T>(extent_from<A>(extents[I])...); }(std::index_sequence_for<A...>{});
  if (from.size() > 0) {
    codegen::detail::check(cudaMemcpyAsync(to.data(), from.data, static_cast<std::size_t>(from.size()) * sizeof(T), cudaMemcpyDefault, stream), "cudaMemcpyAsync");
    codegen::detail::check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  }
  return to;
}
template <class Space, class E>
auto copy_expression_to(codegen::detail::cuda_machine const& on, E const& node) {
  if constexpr (!can_evaluate<E>) return evaluable<E>();
  else {
    auto const evaluated = [&] {
      if constexpr (std::is_same_v<machine_of<E>, codegen::detail::cuda_machine>) return evaluate_on(on, node);
      else return evaluate_on(machine_of<E>{}, node);
    };
    if constexpr (has_leaf<E>) {
      auto const v = leaf_of(node);
      if (is_row_major(v)) return copied_to<Space>(on.stream, v);
    }
    return copied_to<Space>(on.stream, evaluated().view().readable());
  }
}

} // namespace detail::inline ATTEND_DETAIL_ISA

inline namespace ATTEND_DETAIL_ISA {

/// The value of a tensor, view or expression as a tensor in another memory space: copy_to(cuda, x), copy_to(host, x). What
/// is not contiguous is evaluated where it lives. Waits until it is done. Throws cuda_error.
template <class Space, expression E>
  requires memory_space<Space>
auto copy_to(codegen::detail::cuda_machine const& on, Space, E&& e) {
  return detail::reported(detail::copy_expression_to<Space>(on, detail::lift(static_cast<E&&>(e))));
}
template <class Space, expression E>
  requires memory_space<Space>
auto copy_to(Space to, E&& e) {
  return copy_to(codegen::detail::cuda_machine{}, to, static_cast<E&&>(e));
}

/// A tensor in device memory whose elements are not set: uninitialized<float, attend::cuda>(s = 4, d = 8).
template <class T, auto const& Space, class... E>
  requires std::same_as<std::remove_cvref_t<decltype(Space)>, struct cuda>
auto uninitialized(E... e) {
  return codegen::detail::cuda_machine::tensor<T>(e...);
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend
