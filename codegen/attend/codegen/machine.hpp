// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Machines: where an evaluation runs, and what it asks of that place beside its kernels. Steps, places and patterns are
// the same on all of them; `launch` has an overload set for each.
//
// A machine has a `space`; `checks_ids`: whether ids that a step computed can be read here; `takes_all`: whether its
// kernels take whatever the patterns found; `streams`: whether plans run block by block; `memory(bytes)`, the workspace of an
// evaluation; `aside<T>(count)`, elements for a result that overlaps an operand; `tensor<T>(extents...)`, one to return.
#pragma once
#include <attend/create.hpp>
#include <attend/errors.hpp>
#include <attend/kernels/isa.hpp>
#include <attend/kernels/kept_memory.hpp>
#include <cstdint>
#include <span>
#include <string>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {

/// The buffers of one evaluation on the host.
using workspace = kernels::kept_memory<struct buffers_between_steps>;

namespace detail {

[[noreturn, gnu::cold, gnu::noinline]] inline void workspace_too_small(char const* call, long wanted, long given) {
  throw argument_error(std::string(call) + " requires a workspace of " + std::to_string(wanted) + " bytes here; there are " + std::to_string(given));
}
[[noreturn, gnu::cold, gnu::noinline]] inline void workspace_not_aligned(char const* call) {
  throw argument_error(std::string(call) + " requires a workspace that begins at a multiple of 64 bytes");
}
/// The memory that the caller of `call` gives for the steps between. Throws argument_error where it does not do.
inline std::byte* given_workspace(char const* call, std::span<std::byte> workspace, long bytes) {
  if (static_cast<long>(workspace.size()) < bytes) workspace_too_small(call, bytes, static_cast<long>(workspace.size()));
  if (bytes > 0 && reinterpret_cast<std::uintptr_t>(workspace.data()) % 64 != 0) workspace_not_aligned(call);
  return workspace.data();
}

/// This processor, at once.
struct host_machine {
  using space = struct host;
  static constexpr bool is_machine = true, checks_ids = true, takes_all = true, streams = true;

  static workspace memory(long bytes) { return workspace(bytes); }
  template <class T>
  static auto aside(long count) { return attend::detail::allocate<T>(count); }
  template <class T, class... E>
  static auto tensor(E... e) { return uninitialized<T>(e...); }
};

} // namespace detail

/// The machine that evaluates expressions of a memory space; none, without the header that brings its kernels.
template <class Space>
struct machine_for {};
template <>
struct machine_for<struct host> {
  using type = detail::host_machine;
};
template <>
struct machine_for<anywhere> {
  using type = detail::host_machine;
};
template <class Space>
concept has_machine = requires { typename machine_for<Space>::type; };
template <class M>
concept machine = requires { requires M::is_machine; };

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
