// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the compiler knows of an expression before it runs: its plan, whether it is fused, and why not.
#pragma once
#include <attend/rules.hpp> // first, so that an error is traced through no other header

#include <attend/codegen/patterns/reasons.hpp> // the same

#include <attend/codegen/cover.hpp>
#include <attend/codegen/machine.hpp>
#include <attend/codegen/stream.hpp>

namespace attend {
namespace codegen::inline ATTEND_DETAIL_ISA::detail {

template <class E>
using node_t = attend::detail::lifted<E const&>;
template <class E, variant V = variant::likely>
using canonical_t = std::remove_cv_t<decltype(planned_form<true, V>(std::declval<node_t<E>>()))>;

// A merged root is one of its tree: it only changes how the result is addressed.
template <class X>
struct root_tree {
  using type = X;
};
template <class X, class D, class C>
struct root_tree<merged<X, D, C>> : root_tree<X> {};
template <class E, variant V = variant::likely>
using tree_t = typename root_tree<canonical_t<E, V>>::type;
template <class E, variant V = variant::likely>
using region_t = std::remove_cv_t<decltype(cover<true>(std::declval<tree_t<E, V> const&>()))>;
// Where no machine is there to say so, plans are not streamed.
template <class Tree>
struct stream_on_machine {
  using type = void;
};
template <class Tree>
  requires has_machine<typename Tree::space>
struct stream_on_machine<Tree> {
  using type = stream_of<typename machine_for<typename Tree::space>::type, true, Tree>;
};
template <class Tree>
using stream_t = typename stream_on_machine<Tree>::type;

template <class E, variant V, class Given>
constexpr outline outline_of_plan(Given const& given) {
  return outline_of<region_t<E, V>, typename E::value_type, stream_t<tree_t<E, V>>>(given);
}

template <class X>
inline constexpr bool weighs_softmax = false;
template <class E, class... X>
inline constexpr bool weighs_softmax<elementwise<op::softmax_weight<E>, X...>> = true;
template <class Op, class... X>
inline constexpr bool weighs_softmax<elementwise<Op, X...>> = (weighs_softmax<X> || ...);

/// Counts over a region and the regions of its buffers.
struct tally {
  int fused = 0, softmaxes = 0;
  constexpr tally operator+(tally o) const { return {fused + o.fused, softmaxes + o.softmaxes}; }

  template <class X>
  static constexpr tally of(X const*) { return {}; }
  template <class Op, class... X>
  static constexpr tally of(elementwise<Op, X...> const*) { return (of(static_cast<X const*>(nullptr)) + ...); }
  template <class T, class I, class D>
  static constexpr tally of(gather_node<T, I, D> const*) { return all(types<T, I>{}); }
  template <class X, class T, class S, class... A>
  static constexpr tally of(buffer<X, T, S, A...> const*) { return all(types<X>{}); }
  template <region_type R>
  static constexpr tally of(R const* r) { return own(r) + all(typename R::operand_types{}); }

private:
  template <class R>
  static constexpr tally own(R const*) { return {}; }
  template <class... X>
  static constexpr tally own(attention<X...> const*) { return {1, 0}; }
  template <class L, class I, bool Each, class... S>
  static constexpr tally own(rows<L, I, Each, S...> const*) { return {0, weighs_softmax<L>}; }
  template <class... X>
  static constexpr tally all(types<X...>) { return (of(static_cast<X const*>(nullptr)) + ... + tally{}); }
};

/// The first reason met from the root downwards why an attention was not fused.
struct blame {
  template <class X>
  static constexpr auto here() { return decltype(attention_match::of(std::declval<X const&>())){}; }
  template <class R>
  static constexpr bool telling = !std::is_same_v<R, not_fused<because::root_is_no_product_of_a_softmax<>>>;
};

template <class X, class = void>
struct reason_of {
  using type = not_fused<because::root_is_no_product_of_a_softmax<>>;
};
template <class... X>
struct first_reason {
  using type = not_fused<because::root_is_no_product_of_a_softmax<>>;
};
template <class X, class... Rest>
struct first_reason<X, Rest...> {
  using here = typename reason_of<X>::type;
  using type = typename std::conditional_t<blame::telling<here>, std::type_identity<here>, first_reason<Rest...>>::type;
};
template <class Op, class... X>
struct reason_of<elementwise<Op, X...>> : first_reason<X...> {};
template <class Op, class X, class D>
struct reason_of<reduction<Op, X, D>> : reason_of<X> {};
template <class X, class D, class P, class O>
struct reason_of<softmax_node<X, D, P, O>> : reason_of<X> {};
template <class X, class T, class S, class... A>
struct reason_of<buffer<X, T, S, A...>> : reason_of<X> {};
template <class X, class Y, class D>
struct reason_of<contraction<X, Y, D>> {
  using here = std::remove_cv_t<decltype(attention_match::of(std::declval<contraction<X, Y, D> const&>()))>;
  template <class H>
  struct own {
    using type = typename first_reason<X, Y>::type; // attention itself: whatever is wrong is below
  };
  template <class R>
  struct own<not_fused<R>> {
    using type = typename std::conditional_t<blame::telling<not_fused<R>>, std::type_identity<not_fused<R>>, first_reason<X, Y>>::type;
  };
  using type = typename own<here>::type;
};

template <class E>
using reason_t = typename reason_of<typename root_tree<canonical_t<E>>::type>::type::reason;

} // namespace codegen::inline ATTEND_DETAIL_ISA::detail

namespace codegen::inline ATTEND_DETAIL_ISA::detail {
/// Whether a plan of an expression is fused; so is one that it has not.
template <class E, variant V>
inline constexpr bool fuses = true;
template <class E, variant V>
  requires(V == variant::likely || has_variant<std::remove_cvref_t<node_t<E>>, V>)
inline constexpr bool fuses<E, V> = [] {
  constexpr auto t = tally::of(static_cast<region_t<E, V> const*>(nullptr));
  return t.fused > 0 && t.softmaxes == 0;
}();
} // namespace codegen::inline ATTEND_DETAIL_ISA::detail

/// Whether every softmax of an expression runs inside a fused attention kernel, and there is one.
template <class E>
inline constexpr bool is_fused = [] {
  using Node = std::remove_cvref_t<E>;
  if constexpr (detail::broken<Node>) return false;
  else {
    using codegen::variant;
    return codegen::detail::fuses<Node, variant::likely> && codegen::detail::fuses<Node, variant::other> && codegen::detail::fuses<Node, variant::split_otherwise>;
  }
}();

/// What the compiler knows of the plan of an expression type: the kernel of its last step, and what all its steps cost
/// and need as closed forms of the extents, which are given by name where the type does not fix them:
/// `plan_of<E>::flops(s = 128, t = 256)`. Steps of one type are taken for one step, as they are where they read the same
/// tensors. Where the extents decide between two plans, kernel and steps are those of the one that long ones ask for.
template <class E>
struct plan_of {
  using region = codegen::detail::region_t<std::remove_cvref_t<E>>;
  static constexpr char const* kernel = region::name;
  static constexpr char const* pattern = region::pattern;
  static constexpr bool fused = is_fused<E>;
  /// How many kernels run.
  static constexpr int steps = codegen::detail::outline_of_plan<std::remove_cvref_t<E>, codegen::variant::likely>(codegen::given_extents<>{}).steps;

  /// Floating-point operations.
  template <class... D, long... N>
  static constexpr long flops(extent<D, N>... given) {
    return outline(given...).flops;
  }
  /// Bytes read and written.
  template <class... D, long... N>
  static constexpr long bytes(extent<D, N>... given) {
    return outline(given...).bytes;
  }
  /// How many blocks of the dim along which the plan is streamed it runs in.
  template <class... D, long... N>
  static constexpr long blocks(extent<D, N>... given) {
    return outline(given...).blocks.blocks();
  }
  /// Bytes of memory between the steps.
  template <class... D, long... N>
  static constexpr long workspace(extent<D, N>... given) {
    return outline(given...).workspace;
  }

private:
  template <class... D, long... N>
  static constexpr auto outline(extent<D, N>... given) {
    using Node = std::remove_cvref_t<E>;
    codegen::given_extents<D...> const extents{given.size()...};
    auto const likely = codegen::detail::outline_of_plan<Node, codegen::variant::likely>(extents);
    if constexpr (codegen::has_variant<detail::lifted<Node const&>, codegen::variant::other>) {
      auto const other = codegen::detail::outline_of_plan<Node, codegen::variant::other>(extents);
      if (other.cost < likely.cost) return other;
    }
    return likely;
  }
};

/// A compile error with the reason where an expression is not fused attention; true where it is.
template <expression E>
constexpr bool require_fused(E const&) {
  if constexpr (!detail::broken<E> && !is_fused<E>) {
    using Reason = codegen::detail::reason_t<E>;
    static_assert(sizeof(typename Reason::refused) > 0);
  }
  return true;
}

} // namespace attend
