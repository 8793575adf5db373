// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The body of a parallel loop as a plain function, so that what shares its items out is instantiated once a program and
// not for every expression.
#pragma once
#include <attend/kernels/isa.hpp>

namespace attend::kernels::inline ATTEND_DETAIL_ISA {

/// Calls a body, which has to outlive it, with an item's number.
class task {
  void (*run_)(void const*, long);
  void const* body_;

public:
  template <class Body>
  explicit task(Body const* body)
      : run_([](void const* b, long i) { (*static_cast<Body const*>(b))(i); }), body_(body) {}
  void operator()(long i) const { run_(body_, i); }
};

} // namespace attend::kernels::inline ATTEND_DETAIL_ISA
