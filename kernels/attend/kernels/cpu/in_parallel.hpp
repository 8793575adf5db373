// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The loop over work items that kernels share their work by: TBB, whose templates are instantiated once a program and not
// for every expression, since what they call is a plain function pointer.
#pragma once
#include <attend/kernels/cpu/isa.hpp>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {

namespace detail {
struct work {
  void (*run)(void const*, long);
  void const* body;

  void operator()(tbb::blocked_range<long> const& range) const {
    for (long i = range.begin(); i < range.end(); ++i) run(body, i);
  }
};
[[gnu::cold, gnu::noinline]] inline void share(long count, work const& w) { tbb::parallel_for(tbb::blocked_range<long>(0, count), w); }
} // namespace detail

/// How many threads share work.
inline long threads() { return tbb::this_task_arena::max_concurrency(); }

/// Calls body(i) for every i in [0, count), in any order and at the same time; neighbours by one thread as far as can be.
template <class Body>
void in_parallel(long count, Body const& body) {
  if (count == 1) body(0l);
  else if (count > 1) detail::share(count, {[](void const* b, long i) { (*static_cast<Body const*>(b))(i); }, &body});
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
