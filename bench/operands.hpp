// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random queries, keys and values, and room for the result.
#pragma once
#include "formulas.hpp"
#include <attend/attend.hpp>
#include <memory>

namespace bench {

/// As many key-value heads as query heads; D is the head dim, an integral constant.
template <class T, class D>
struct operands {
  explicit operands(problem const& p)
      : q(attend::normal<T>(b = p.batch, n = p.heads, s = p.queries, d = D{})),
        k(attend::normal<T>(b = p.batch, n = p.heads, t = p.keys, d = D{})),
        v(attend::normal<T>(b = p.batch, n = p.heads, t = p.keys, d = D{})),
        out(attend::uninitialized<T>(b = p.batch, n = p.heads, s = p.queries, d = D{})) {}

  decltype(attend::normal<T>(b = 1, n = 1, s = 1, d = D{})) q;
  decltype(attend::normal<T>(b = 1, n = 1, t = 1, d = D{})) k, v;
  decltype(attend::normal<T>(b = 1, n = 1, s = 1, d = D{})) out;
  float scale = 1 / std::sqrt(static_cast<float>(D::value));
};

/// A call that evaluates what `formula` makes of random operands, into their result.
template <class T, class D, class Formula>
call evaluation(problem const& p, Formula formula) {
  auto const x = std::make_shared<operands<T, D>>(p);
  static_assert(attend::is_fused<decltype(formula(*x))>);
  return [x, formula] { evaluate(into(x->out), formula(*x)); };
}

} // namespace bench
