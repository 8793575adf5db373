// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How an evaluation on the host is to run: in the caller's memory, or telling how far it is.
#pragma once
#include <attend/codegen/machine.hpp>
#include <span>
#include <type_traits>
#include <utility>

namespace attend {
namespace codegen::inline ATTEND_DETAIL_ISA::detail {

/// This processor, what lies between steps being in the caller's memory.
struct host_in_workspace : host_machine {
  std::span<std::byte> workspace;

  struct given {
    std::byte* memory;
    std::byte* data() const { return memory; }
  };
  given memory(long bytes) const { return {given_workspace("evaluate(on(workspace), x)", workspace, bytes)}; }
};

/// This processor; `report` is told the share of the work that is done.
template <class F>
struct host_with_progress : host_machine {
  F report;
  mutable double expected = 0, done = 0; // costs, as plans are compared by

  explicit host_with_progress(F f) : report(std::move(f)) {}
  /// So much is going to be done.
  void expect(double cost) const { expected += cost; }
  /// So much more has been.
  void advance(double cost) const {
    done += cost;
    if (done < expected) report(done / expected);
  }
  void finish() const {
    expected = done = 0;
    report(1.0);
  }
};

} // namespace codegen::inline ATTEND_DETAIL_ISA::detail

inline namespace ATTEND_DETAIL_ISA {

/// evaluate(on(workspace), x): what lies between the steps is put into the caller's memory, of which workspace_of(x) tells
/// how much is needed. Throws argument_error where it is too small, or does not begin at a multiple of 64 bytes.
inline auto on(std::span<std::byte> workspace) {
  return codegen::detail::host_in_workspace{{}, workspace};
}

/// evaluate(on_progress(f), x): f(fraction) is called with rising numbers up to 1 as the steps and blocks of a plan are
/// done, on the calling thread. What it throws ends the evaluation, the result being written in part.
template <class F>
  requires std::is_invocable_v<F&, double>
auto on_progress(F f) {
  return codegen::detail::host_with_progress<F>(std::move(f));
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend
