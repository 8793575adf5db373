// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lanes of two vectors in another order, for every compiler: nvcc does not know the builtins of g++ and clang, which make
// one instruction of this.
#pragma once
#include <attend/kernels/isa.hpp>

namespace attend::kernels::cpu::inline ATTEND_DETAIL_ISA {

/// Lanes of a and b, which are numbered one after the other.
template <int... I, class V>
inline V shuffle(V a, V b) {
  constexpr int lanes = sizeof(V) / sizeof(a[0]);
  return V{(I < lanes ? a[I % lanes] : b[I % lanes])...};
}

} // namespace attend::kernels::cpu::inline ATTEND_DETAIL_ISA
