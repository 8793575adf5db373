// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The one place that calls Thrust: for_each over task numbers, on its TBB system by explicit policy.
#pragma once
#include <attend/kernels/cpu/isa.hpp>
#include <attend/kernels/task.hpp>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/system/tbb/execution_policy.h>

namespace attend::kernels::passes {
inline namespace ATTEND_DETAIL_ISA {

namespace detail {
inline void for_each_task(long count, task const& each) {
  ::thrust::for_each_n(::thrust::tbb::par, ::thrust::counting_iterator<long>(0), count, each);
}
} // namespace detail

/// Calls body(i) for every i in [0, count), in any order and at the same time.
template <class Body>
void in_parallel(long count, Body const& body) {
  if (count == 1) body(0l);
  else if (count > 1) detail::for_each_task(count, task(&body));
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::passes
