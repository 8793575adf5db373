// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random queries, keys and values in device memory, room for the result, and the cases made of them.
#pragma once
#include "../formulas.hpp"
#include "device.hpp"
#include <algorithm>
#include <attend/cuda.cuh>
#include <memory>

namespace bench {

/// Normally distributed elements from position `skip` of a block that repeats: drawing all of them would take longer
/// than all that is measured.
template <class Tensor>
void fill(Tensor& x, long skip) {
  using T = std::remove_reference_t<decltype(*x.data())>;
  static auto const block = copy_to(attend::cuda, attend::normal<T>(s = 1 << 20));
  for (long at = 0; at < x.size();) {
    long const from = (at + skip) % block.size(), count = std::min(block.size() - from, x.size() - at);
    must(cudaMemcpyAsync(x.data() + at, block.data() + from, static_cast<std::size_t>(count) * sizeof(T),
                         cudaMemcpyDeviceToDevice, stream()));
    at += count;
  }
}

/// As many key-value heads as query heads (grouped_operands: fewer); D is the head dim, an integral constant.
template <class T, class D>
struct operands {
  explicit operands(problem const& p)
      : q(attend::uninitialized<T, attend::cuda>(b = p.batch, n = p.heads, s = p.queries, d = D{})),
        k(attend::uninitialized<T, attend::cuda>(b = p.batch, n = p.heads, t = p.keys, d = D{})),
        v(attend::uninitialized<T, attend::cuda>(b = p.batch, n = p.heads, t = p.keys, d = D{})),
        out(attend::uninitialized<T, attend::cuda>(b = p.batch, n = p.heads, s = p.queries, d = D{})) {
    fill(q, 0), fill(k, 333'333), fill(v, 666'667);
  }

  decltype(attend::uninitialized<T, attend::cuda>(b = 1, n = 1, s = 1, d = D{})) q;
  decltype(attend::uninitialized<T, attend::cuda>(b = 1, n = 1, t = 1, d = D{})) k, v;
  decltype(attend::uninitialized<T, attend::cuda>(b = 1, n = 1, s = 1, d = D{})) out;
  float scale = 1 / std::sqrt(static_cast<float>(D::value));
};

/// Each head of keys and values is for a group of query heads.
template <class T, class D>
struct grouped_operands {
  explicit grouped_operands(problem const& p)
      : q(attend::uninitialized<T, attend::cuda>(b = p.batch, g = p.groups, r = p.heads / p.groups, s = p.queries, d = D{})),
        k(attend::uninitialized<T, attend::cuda>(b = p.batch, g = p.groups, t = p.keys, d = D{})),
        v(attend::uninitialized<T, attend::cuda>(b = p.batch, g = p.groups, t = p.keys, d = D{})),
        out(attend::uninitialized<T, attend::cuda>(b = p.batch, g = p.groups, r = p.heads / p.groups, s = p.queries, d = D{})) {
    fill(q, 0), fill(k, 333'333), fill(v, 666'667);
  }

  decltype(attend::uninitialized<T, attend::cuda>(b = 1, g = 1, r = 1, s = 1, d = D{})) q;
  decltype(attend::uninitialized<T, attend::cuda>(b = 1, g = 1, t = 1, d = D{})) k, v;
  decltype(attend::uninitialized<T, attend::cuda>(b = 1, g = 1, r = 1, s = 1, d = D{})) out;
  float scale = 1 / std::sqrt(static_cast<float>(D::value));
};

/// A call that evaluates what `formula` makes of random operands, into their result.
template <class Operands, class Formula>
call evaluation_of(problem const& p, Formula formula) {
  auto const x = std::make_shared<Operands>(p);
  static_assert(attend::is_fused<decltype(formula(*x))>);
  return [x, formula] { evaluate(attend::on(stream()), into(x->out), formula(*x)); };
}
template <class T, class D, class Formula>
call evaluation(problem const& p, Formula formula) {
  return evaluation_of<operands<T, D>>(p, formula);
}

template <class T, class D>
call full(problem const& p) {
  return evaluation<T, D>(p, full_attention);
}
template <class T, class D>
call causal(problem const& p) {
  return evaluation<T, D>(p, causal_attention);
}
template <class T, class D>
call grouped_full(problem const& p) {
  return evaluation_of<grouped_operands<T, D>>(p, full_attention);
}
template <class T, class D>
call grouped_causal(problem const& p) {
  return evaluation_of<grouped_operands<T, D>>(p, causal_attention);
}
template <class T, class D>
call softcap(problem const& p) {
  return evaluation<T, D>(p, softcap_attention);
}
template <class T, class D>
call window(problem const& p) {
  return evaluation<T, D>(p, [left = p.window](auto& x) {
    return softmax(masked(x.q * transpose(x.k) * x.scale, keep(attend::window(s, t, left, 0)))) * x.v;
  });
}
template <class T, class D>
call alibi(problem const& p) {
  auto slopes = copy_to(attend::cuda, alibi_slopes(p.heads));
  auto const slope = std::make_shared<decltype(slopes)>(std::move(slopes));
  return evaluation<T, D>(p, [slope](auto& x) { return softmax(x.q * transpose(x.k) * x.scale + *slope * (index(t) - index(s))) * x.v; });
}
template <class T, class D>
call alibi_window(problem const& p) {
  auto slopes = copy_to(attend::cuda, alibi_slopes(p.heads));
  auto const slope = std::make_shared<decltype(slopes)>(std::move(slopes));
  return evaluation<T, D>(p, [slope](auto& x) {
    auto const biased = x.q * transpose(x.k) * x.scale + *slope * (index(t) - index(s));
    return softmax(masked(biased, keep(attend::window(s, t, left_window, 0)))) * x.v;
  });
}

template <class T, class D>
void add_shape(long batch, long heads, long length) {
  problem p{"forward", dtype_name<T>(), "full", batch, heads, heads, length, length, D::value};
  add(p, full<T, D>);
  p.score = "causal";
  add(p, causal<T, D>);
}
/// Batches of 16k tokens, of sequences of every length.
template <class T, class D>
void add_lengths(long heads) {
  for (long length = 512; length <= 16384; length *= 2) add_shape<T, D>(16384 / length, heads, length);
}
/// Eight heads of queries to each of keys and values.
template <class T, class D>
void add_groups(long heads) {
  problem p{"forward", dtype_name<T>(), "full", 4, heads, heads / 8, 4096, 4096, D::value};
  add(p, grouped_full<T, D>);
  p.score = "causal";
  add(p, grouped_causal<T, D>);
}
template <class T, class D>
void add_scores(long heads) {
  problem p{"score", dtype_name<T>(), "softcap", 4, heads, heads, 4096, 4096, D::value};
  add(p, softcap<T, D>);
  p.score = "alibi";
  add(p, alibi<T, D>);
  p.score = "alibi-window";
  add(p, alibi_window<T, D>);
  p.score = "window";
  p.window = 1024;
  add(p, window<T, D>);
}

} // namespace bench
