// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention over whole sequences, full and causal; and many queries of few keys.
#include "operands.hpp"

namespace bench {
namespace {

template <class T, class D>
call full(problem const& p) {
  return evaluation<T, D>(p, full_attention);
}

template <class T, class D>
call causal(problem const& p) {
  return evaluation<T, D>(p, causal_attention);
}

template <class T, class D>
void add_shape(long batch, long heads, long length) {
  problem p{"forward", dtype_name<T>(), "full", batch, heads, heads, length, length, D::value};
  add(p, full<T, D>);
  p.score = "causal";
  add(p, causal<T, D>);
}

template <class T>
void add_shapes() {
  using d64 = decltype(64_c);
  using d128 = decltype(128_c);
  add_shape<T, d64>(1, 8, 1024);
  add_shape<T, d128>(1, 8, 1024);
  add_shape<T, d64>(1, 8, 4096);
  add_shape<T, d128>(1, 8, 4096);
  add_shape<T, d64>(32, 8, 128);
  add({"short", dtype_name<T>(), "full", 1, 1, 1, 262144, 5, d64::value}, full<T, d64>);
}

} // namespace

void add_forward() {
  add_shapes<float>();
  add_shapes<attend::bf16>();
}

} // namespace bench
