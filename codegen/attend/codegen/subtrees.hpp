// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What every walk over canonical trees shares: a node rebuilt around other subtrees, and a call for each of them. A walk
// says what is its own - its overloads for some kinds of node - and leaves the rest to these.
#pragma once
#include <attend/codegen/canonical.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail {

/// One overload per kind of canonical node.
struct rebuilding {
  template <class F, class X>
  static auto of(F const&, X const& x) { return x; } // tensors, numbers, positions
  template <class F, class Op, class... X>
  static auto of(F const& f, elementwise<Op, X...> const& e) {
    return with_values(e.x, [&](X const&... x) { return elementwise_of<Op>(f(x)...); });
  }
  template <class F, class X, class Y, class D, class O>
  static auto of(F const& f, contraction<X, Y, D, O> const& e) { return contraction<made<F, X>, made<F, Y>, D, O>{{}, f(e.x), f(e.y)}; }
  template <class F, class Op, class X, class D>
  static auto of(F const& f, reduction<Op, X, D> const& e) { return reduction<Op, made<F, X>, D>{{}, f(e.x)}; }
  template <class F, class X, class D, class P, class O>
  static auto of(F const& f, softmax_node<X, D, P, O> const& e) { return softmax_node<made<F, X>, D, P, O>{{}, f(e.x), e.guard}; }
  template <class F, class T, class I, class D>
  static auto of(F const& f, gather_node<T, I, D> const& e) { return gather_node<made<F, T>, made<F, I>, D>{{}, f(e.table), f(e.ids)}; }
  template <class F, class X, class P, class C>
  static auto of(F const& f, merged<X, P, C> const& e) { return merged<made<F, X>, P, C>{{}, f(e.x)}; }
  template <class F, class X, class T, class S, class... A>
  static auto of(F const& f, buffer<X, T, S, A...> const& b) { return with_tree(b, f(b.x)); }

private:
  template <class F, class X>
  using made = std::remove_cvref_t<decltype(std::declval<F const&>()(std::declval<X const&>()))>;
};
/// A node with f of each of its subtrees in their place.
template <class X, class F>
auto with_subtrees(X const& x, F const& f) {
  return rebuilding::of(f, x);
}

/// Calls f with each subtree of a node; one overload per kind.
struct each_subtree {
  template <class F, class X>
  static void of(F const&, X const&) {}
  template <class F, class Op, class... X>
  static void of(F const& f, elementwise<Op, X...> const& e) {
    with_values(e.x, [&](X const&... x) { (f(x), ...); });
  }
  template <class F, class X, class Y, class D, class O>
  static void of(F const& f, contraction<X, Y, D, O> const& e) { f(e.x), f(e.y); }
  template <class F, class Op, class X, class D>
  static void of(F const& f, reduction<Op, X, D> const& e) { f(e.x); }
  template <class F, class X, class D, class P, class O>
  static void of(F const& f, softmax_node<X, D, P, O> const& e) { f(e.x); }
  template <class F, class X, class W, class L>
  static void of(F const& f, recorded<X, W, L> const& e) { f(e.x); }
  template <class F, class T, class I, class D>
  static void of(F const& f, gather_node<T, I, D> const& e) { f(e.table), f(e.ids); }
  template <class F, class X, class P, class C>
  static void of(F const& f, merged<X, P, C> const& e) { f(e.x); }
  template <class F, class X, class T, class S, class... A>
  static void of(F const& f, buffer<X, T, S, A...> const& b) { f(b.x); }
};

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail
