// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention in parts: what a sink adds to a softmax, and how attentions over parts of the keys become one.
#pragma once
#include <attend/reductions.hpp>

namespace attend {

/// A score that belongs to no key: it takes its share of every row's weights and brings no value.
template <class Z>
struct sink_score {
  Z z;
};
/// softmax(x, t, sink(z)): exp(x) / (sum(exp(x), t) + exp(z)), z without t, broadcast by name (Xiao et al., 2023).
template <expression Z>
constexpr auto sink(Z&& z) {
  return sink_score<detail::lifted<Z>>{detail::lift(static_cast<Z&&>(z))};
}

/// A softmax whose rows share with a sink: softmax(x, t) * sigmoid(logsumexp(x, t) - z).
template <expression X, dimension D, class Z>
constexpr auto softmax(X&& x, D d, sink_score<Z> const& s) {
  auto const scores = detail::lift(static_cast<X&&>(x));
  return hadamard(softmax(scores, d), sigmoid(logsumexp(scores, d) - s.z));
}
/// The same over the column.
template <expression X, class Z>
constexpr auto softmax(X&& x, sink_score<Z> const& s) {
  auto const scores = detail::lift(static_cast<X&&>(x));
  return hadamard(softmax(scores), sigmoid(logsumexp(scores) - s.z));
}

/// One attention from attentions over parts p of the keys: o (..., p, e) and the log-sum-exps l (..., p) of their scores
/// give contract(softmax(l, p), o, p). Its own log-sum-exp is logsumexp(l, p). A part that keeps nothing counts nothing.
template <expression O, expression L, dimension P>
constexpr auto combine(O&& o, L&& l, P p) {
  return contract(softmax(detail::lift(static_cast<L&&>(l)), p), detail::lift(static_cast<O&&>(o)), p);
}

} // namespace attend
