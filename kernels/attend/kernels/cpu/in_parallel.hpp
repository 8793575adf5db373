// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The loop over work items that kernels share their work by: TBB's.
#pragma once
#include <attend/kernels/cpu/isa.hpp>
#include <attend/kernels/task.hpp>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {

namespace detail {
[[gnu::cold, gnu::noinline]] inline void share(long count, task const& each) {
  tbb::parallel_for(tbb::blocked_range<long>(0, count), [&](tbb::blocked_range<long> const& range) {
    for (long i = range.begin(); i < range.end(); ++i) each(i);
  });
}
} // namespace detail

/// How many threads share work.
inline long threads() { return tbb::this_task_arena::max_concurrency(); }

/// Calls body(i) for every i in [0, count), in any order and at the same time; neighbours by one thread as far as can be.
template <class Body>
void in_parallel(long count, Body const& body) {
  if (count == 1) body(0l);
  else if (count > 1) detail::share(count, task(&body));
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
