// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cover: from the root downwards the largest pattern that matches takes its region; what enters the region and is not
// a leaf becomes a buffer and is covered in turn. Tried in this order, one overload each:
//
//   1  fused attention              patterns/attention.hpp
//   2  product with epilogue        patterns/product.hpp
//   3  row normalisation            patterns/rows.hpp
//   4  reduction with its producer  patterns/rows.hpp
//   5  look-up                      inside 6: a table is read where its element is needed
//   6  elementwise pass             the catch-all: everything else
#pragma once
#include <attend/codegen/normal.hpp>
#include <attend/codegen/patterns/attention.hpp>
#include <attend/codegen/patterns/product.hpp>
#include <attend/codegen/patterns/rows.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {
namespace detail {

template <int I>
struct priority : priority<I - 1> {};
template <>
struct priority<0> {};

/// Whether a tree is one of weights.
template <class X>
inline constexpr bool weighs = softmaxes<X> > 0;
template <class X, class W, class L>
inline constexpr bool weighs<recorded<X, W, L>> = true;

/// Whether a product with an epilogue is one of attention: a bias is no reason to take that apart, it is a step behind it.
template <class M>
inline constexpr bool of_attention = false;
template <class X, class Y, class D, class A, class B, class R>
  requires(weighs<X> || weighs<Y>)
inline constexpr bool of_attention<product<X, Y, D, A, B, R>> = !is_not_fused<std::remove_cv_t<decltype(attention_match::of(std::declval<contraction<X, Y, D> const&>()))>>;

/// Whether a tree is a product that is rounded to T: stored as T, the product alone is as much.
template <class T, class X>
inline constexpr bool rounds_product = false;
template <class T, class X>
  requires floating<typename X::value_type>
inline constexpr bool rounds_product<T, elementwise<op::cast<T>, X>> = [] {
  using M = std::remove_cv_t<decltype(product_match::of(std::declval<X const&>()))>;
  return is_product<M> && !of_attention<M>;
}();

/// Fuse says whether pattern 1 is tried.
template <bool Fuse>
struct covering {
  /// Of a tree that is stored as T.
  template <class T, class X>
  static auto region(X const& x) {
    if constexpr (rounds_product<T, X>) return tried(operand_of<0>(x), priority<2>{});
    else return tried(x, priority<3>{});
  }

private:
  // 1
  template <class X>
  static auto tried(X const& x, priority<3>) {
    if constexpr (Fuse) {
      auto const m = attention_match::of(x);
      if constexpr (!is_not_fused<std::remove_cv_t<decltype(m)>>) return fused(m);
      else return tried(x, priority<2>{});
    } else return tried(x, priority<2>{});
  }
  // 2
  template <class X>
  static auto tried(X const& x, priority<2>) {
    auto const m = product_match::of(x);
    if constexpr (is_product<decltype(m)> && !(Fuse && of_attention<std::remove_cv_t<decltype(m)>>)) return multiplied(m);
    else return tried(x, priority<1>{});
  }
  // 3, 4
  template <class X>
  static auto tried(X const& x, priority<1>) {
    using Dims = typename X::shape::dims;
    using Axes = typename inner_axes<X, typename X::shape>::type;
    if constexpr (std::is_void_v<Axes>) return tried(x, priority<0>{});
    else {
      using Inner = typename Axes::dims;
      constexpr bool each = common_t<Inner, Dims>::size > 0;
      auto const e = extracting<minus_t<Dims, Inner>, Axes>::of(x, attend::detail::pack<>{});
      return by_rows<Inner, each>(e);
    }
  }
  template <class X, class Y, class D>
  static auto tried(contraction<X, Y, D> const& e, priority<1>) { // of types no matrix library takes: a sum of products
    return tried(as_sum(e), priority<1>{});
  }
  // 6
  template <class X>
  static auto tried(X const& x, priority<0>) {
    auto const f = functor(x, x);
    return pass<std::remove_cv_t<decltype(f)>>{f};
  }

  template <class Q, class K, class V, class F, class W, class G, class... Rest>
  static auto fused(attention<Q, K, V, F, W, G, Rest...> const& m) {
    auto const q = operand(m.query, m.key, m.value, m.score);
    auto const k = operand(m.key, m.query, m.value, m.score);
    auto const v = operand(m.value, m.key, m.query, m.score);
    auto const f = functor(m.score, m.query, m.key, m.value);
    auto const w = functor(m.weighing, m.query, m.key, m.value);
    auto const g = functor(m.gain, m.query, m.key, m.value);
    return attention<std::remove_cv_t<decltype(q)>, std::remove_cv_t<decltype(k)>, std::remove_cv_t<decltype(v)>, std::remove_cv_t<decltype(f)>,
                     std::remove_cv_t<decltype(w)>, std::remove_cv_t<decltype(g)>, Rest...>{q, k, v, f, w, g, m.scale, m.output_scale, m.guard, m.also};
  }
  template <class X, class Y, class D, class A, class B, class R>
  static auto multiplied(product<X, Y, D, A, B, R> const& m) {
    auto const x = factor_of<D>(m.x, m.y);
    auto const y = factor_of<D>(m.y, m.x);
    auto const bias = read(m.bias, m.x, m.y);
    auto const residual = read(m.residual, m.x, m.y);
    return product<std::remove_cv_t<decltype(x)>, std::remove_cv_t<decltype(y)>, D, A, std::remove_cv_t<decltype(bias)>, std::remove_cv_t<decltype(residual)>>{
        x, y, bias, residual, m.scale};
  }
  template <class Inner, bool Each, class Tree, class... S>
  static auto by_rows(extracted<Tree, S...> const& e) {
    return with_values(e.stages, [&](S const&... s) {
      auto const one = [&](auto const& x) { return functor(x, x, e.tree, s.x...); };
      return rows_of<Inner, Each>(one(e.tree), staged<typename S::op>(one(s.x))...);
    });
  }
  template <class Op, class X>
  static auto staged(X const& x) { return stage<Op, X>{x}; }
  template <class Inner, bool Each, class Last, class... S>
  static auto rows_of(Last const& last, S const&... s) { return rows<Last, Inner, Each, S...>{{{s}...}, last}; }

  template <class X, class Y, class... D>
  static auto as_sum(contraction<X, Y, types<D...>> const& e) {
    auto const x = in_memory(e.x, e.y);
    auto const y = in_memory(e.y, e.x);
    auto const xy = map<op::mul>(x, y);
    return reduction<op::sum, std::remove_cv_t<decltype(xy)>, types<D...>>{{}, xy};
  }

  // What a sum of products reads again and again: stored once, however it is cast.
  template <class X, class Around>
  static auto in_memory(X const& x, Around const& around) {
    if constexpr (ends_in_map<X>) return store<typename X::value_type>(x, storage_order_t<X>{}, around);
    else return x;
  }
  template <class T, class X, class Around>
  static auto in_memory(elementwise<op::counted_as<T>, X> const& e, Around const& around) { return map<op::counted_as<T>>(in_memory(operand_of<0>(e), around)); }

  // A factor of a product: what is summed lies together, so that several dims are one to the matrix units.
  template <class D, class X, class Around>
  static auto factor_of(X const& x, Around const& around) {
    if constexpr (is_leaf<X> || D::size < 2) return operand(x, around);
    else return covered(store<typename X::value_type>(x, summed_together<storage_order_t<X>, D>{}, around));
  }
  template <class D, class T, class X, class Around>
    requires read_as_stored<elementwise<op::counted_as<T>, X>>
  static auto factor_of(elementwise<op::counted_as<T>, X> const& e, Around const& around) { return map<op::counted_as<T>>(factor_of<D>(operand_of<0>(e), around)); }
  // What else a product reads.
  template <class X, class... Around>
  static auto read(X const& x, Around const&... around) { return operand(x, around...); }
  template <class T, class X, class... Around>
    requires read_as_stored<elementwise<op::counted_as<T>, X>>
  static auto read(elementwise<op::counted_as<T>, X> const& e, Around const&... around) { return map<op::counted_as<T>>(operand(operand_of<0>(e), around...)); }
  template <class Order, class D>
  using summed_together = typename replace_in<minus_t<Order, minus_t<D, types<element_of_t<D, D::size - 1>>>>, element_of_t<D, D::size - 1>, D>::type;

  // An operand in memory, of its own type: what matrix units read.
  template <class X, class... Around>
  static auto operand(X const& x, Around const&... around) {
    if constexpr (std::is_same_v<X, nothing>) return x;
    else if constexpr (is_buffer<X>) return covered(x);
    else if constexpr (is_leaf<X>) return x;
    else return covered(store<typename X::value_type>(x, storage_order_t<X>{}, around...));
  }
  // A tree that one pass can compute: what needs a step of its own is stored, in the type sums are kept in.
  template <class X, class... Around>
  static auto functor(X const& x, Around const&... around) {
    if constexpr (is_buffer<X>) return covered(x);
    else if constexpr (is_plain<X>) return x;
    else return computable(x, around...);
  }
  template <class Op, class... X, class... Around>
  static auto computable(elementwise<Op, X...> const& e, Around const&... around) {
    return with_values(e.x, [&](auto const&... x) { return elementwise_of<Op>(functor(x, around...)...); });
  }
  template <class T, class I, class D, class... Around>
  static auto computable(gather_node<T, I, D> const& e, Around const&... around) {
    auto const table = operand(e.table, around...);
    auto const ids = functor(e.ids, around...);
    return gather_node<std::remove_cv_t<decltype(table)>, std::remove_cv_t<decltype(ids)>, D>{{}, table, ids};
  }
  template <class X, class Y, class D, class O, class... Around>
  static auto computable(contraction<X, Y, D, O> const& e, Around const&... around) { return stored(e, around...); }
  template <class Op, class X, class D, class... Around>
  static auto computable(reduction<Op, X, D> const& e, Around const&... around) { return stored(e, around...); }
  template <class X, class D, class P, class O, class... Around>
  static auto computable(softmax_node<X, D, P, O> const& e, Around const&... around) { return stored(e, around...); }
  template <class X, class... Around>
  static auto stored(X const& x, Around const&... around) { return covered(store<accumulate_t<typename X::value_type>>(x, storage_order_t<X>{}, around...)); }

  // A buffer of a tree, its region found.
  template <class X, class T, class Stored, class... A>
  static auto covered(buffer<X, T, Stored, A...> const& b) { return with_tree(b, region<T>(b.x)); }
};

} // namespace detail

/// The region of a canonical tree's root, whose result is stored as T, everything below it covered.
template <bool Fuse, class T, class X>
auto cover_into(X const& x) {
  return detail::covering<Fuse>::template region<T>(x);
}
/// The same of a result of the tree's own type.
template <bool Fuse, class X>
auto cover(X const& x) {
  return cover_into<Fuse, typename X::value_type>(x);
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
