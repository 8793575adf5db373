// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One new token against a long cache: every key-value head serves one query head, or a group of four.
#include "operands.hpp"

namespace bench {
namespace {

template <class T, class D>
call decode(problem const& p) {
  struct cache {
    decltype(attend::normal<T>(b = 1, n = 1, s = 1, d = D{})) q;
    decltype(attend::normal<T>(b = 1, g = 1, t = 1, d = D{})) k, v;
    decltype(attend::normal<T>(b = 1, g = 1, r = 1, s = 1, d = D{})) out;
  };
  auto const x = std::make_shared<cache>(
      cache{attend::normal<T>(b = p.batch, n = p.heads, s = p.queries, d = D{}),
            attend::normal<T>(b = p.batch, g = p.groups, t = p.keys, d = D{}),
            attend::normal<T>(b = p.batch, g = p.groups, t = p.keys, d = D{}),
            attend::uninitialized<T>(b = p.batch, g = p.groups, r = p.heads / p.groups, s = p.queries, d = D{})});
  float const scale = 1 / std::sqrt(static_cast<float>(D::value));
  return [x, scale, groups = p.groups] {
    evaluate(into(x->out), softmax(split(x->q, n, g = groups, r) * transpose(x->k) * scale) * x->v);
  };
}

template <class T, class D>
void add_lengths() {
  for (long const group : {1, 4})
    for (long const keys : {8192, 16384, 32768, 65536})
      add({"decode", dtype_name<T>(), "full", 1, 8 * group, 8, 1, keys, D::value}, decode<T, D>);
}

} // namespace

void add_decode() {
  add_lengths<float, decltype(64_c)>();
  add_lengths<float, decltype(128_c)>();
  add_lengths<attend::bf16, decltype(64_c)>();
  add_lengths<attend::bf16, decltype(128_c)>();
}

} // namespace bench
