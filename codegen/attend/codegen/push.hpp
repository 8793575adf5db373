// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Views pushed to the leaves of a canonical tree: a rename, split, slice or at() of an expression becomes the same of
// its tensors and positions. What cannot be pushed - a cut through a softmax - is stored, and the view is one of the buffer.
//
// Each kind of view answers: dim, the one it acts on; introduced, the dims it brings; leaf(), axes of memory; position(),
// what index(dim) becomes; renames, whether sums and softmaxes over dim stay what they are.
#pragma once
#include <attend/codegen/canonical.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail {

template <class Axes, class V>
struct with_axes;
template <class... A, class T, class S, class... Old>
struct with_axes<shape<A...>, tensor_view<T, S, Old...>> {
  using type = tensor_view<T, S, A...>;
};
template <class... A, class X, class T, class O, class... Old>
struct with_axes<shape<A...>, buffer<X, T, O, Old...>> {
  using type = buffer<X, T, O, A...>;
};

template <class F, class T>
struct rename_view {
  using dim = F;
  using introduced = types<T>;
  static constexpr bool renames = true;
  template <class List>
  struct list;
  template <class... D>
  struct list<types<D...>> {
    using type = types<rename_dim<D, F, T>...>;
  };
  template <class Shape>
  using shape_of = typename rename_in_shape<Shape, F, T>::type;
  auto position() const { return index_node<T>{}; }
  void leaf(long& extent, long& stride, long& origin, long* extents, long* strides) const {
    extents[0] = extent, strides[0] = stride, static_cast<void>(origin);
  }
};

template <class C, class... P>
struct split_view {
  using dim = C;
  using introduced = types<typename P::dim...>;
  static constexpr bool renames = true;
  long sizes[sizeof...(P)];
  template <class List>
  struct list;
  template <class... D>
  struct list<types<D...>> {
    using type = concat_t<std::conditional_t<std::is_same_v<D, C>, introduced, types<D>>...>;
  };
  template <class Shape>
  using shape_of = typename replace_axis<Shape, C, P...>::type;
  auto position() const {
    return [&]<int... I>(std::integer_sequence<int, I...>) { return horner(term<I>()...); }(std::make_integer_sequence<int, sizeof...(P)>{});
  }
  void leaf(long&, long& stride, long&, long* extents, long* strides) const {
    long step = stride;
    for (int i = sizeof...(P); i-- > 0;) {
      extents[i] = sizes[i], strides[i] = step;
      step *= sizes[i];
    }
  }

private:
  // position = sum of part position times what the later parts make
  template <int I>
  auto term() const {
    using D = element_of_t<introduced, I>;
    long step = 1;
    for (int i = I + 1; i < static_cast<int>(sizeof...(P)); ++i) step *= sizes[i];
    if constexpr (I + 1 == sizeof...(P)) return index_node<D>{};
    else return map<op::mul>(index_node<D>{}, scalar<std::int64_t>{{}, step});
  }
  template <class X>
  static auto horner(X x) { return x; }
  template <class X, class Y, class... Rest>
  static auto horner(X x, Y y, Rest... rest) { return horner(map<op::add>(x, y), rest...); }
};

template <class D, long N>
struct slice_view {
  using dim = D;
  using introduced = types<>;
  static constexpr bool renames = false;
  long begin, size;
  template <class Shape>
  using shape_of = typename replace_axis<Shape, D, axis<D, N>>::type;
  auto position() const { return map<op::add>(index_node<D>{}, scalar<std::int64_t>{{}, begin}); }
  void leaf(long&, long& stride, long& origin, long* extents, long* strides) const { origin += begin * stride, extents[0] = size, strides[0] = stride; }
};

template <class D>
struct at_view {
  using dim = D;
  using introduced = types<>;
  static constexpr bool renames = false;
  long i;
  template <class Shape>
  using shape_of = drop_dims<Shape, types<D>>;
  auto position() const { return scalar<std::int64_t>{{}, i}; }
  void leaf(long&, long& stride, long& origin, long*, long*) const { origin += i * stride; }
};

/// A split into parts that are taken to be those that were merged, where their names are; `split_otherwise` says if they
/// are not.
template <class C, class... P>
struct regrouping_view : split_view<C, P...> {};
/// Set where a regrouping_view met parts of other extents: the tree that it made is of no use.
inline thread_local bool split_otherwise = false;

/// Whether a view splits what was merged of Parts into these again.
template <class Shape, class Parts, class View>
inline constexpr bool takes_back = false;
template <class Shape, class... B, class C, long... N>
inline constexpr bool takes_back<Shape, types<B...>, split_view<C, axis<B, N>...>> = ((N >= 0 && N == extent_in<Shape, B>) && ...);
template <class Shape, class... B, class C, long... N>
inline constexpr bool takes_back<Shape, types<B...>, regrouping_view<C, axis<B, N>...>> = (agree(N, extent_in<Shape, B>) && ...);
template <class View>
inline constexpr bool is_slice = false;
template <class D, long N>
inline constexpr bool is_slice<slice_view<D, N>> = true;

/// One overload per kind of canonical node.
struct pushing {
  template <class View, class X>
  static auto into(View const& view, X const& x) {
    if constexpr (has<X, typename View::dim>) return of(view, x);
    else if constexpr (is_slice<View>) return reduced_apart<typename View::dim>(x);
    else return x;
  }

private:
  template <class View, class V>
    requires is_leaf<V>
  static auto of(View const& view, V const& v) {
    using Shape = typename View::template shape_of<typename V::shape>;
    typename with_axes<Shape, V>::type r{};
    constexpr int at = index_in<typename View::dim>(typename V::shape::dims{});
    constexpr int wider = Shape::rank - V::rank; // axes the view adds
    long origin = 0, extents[Shape::rank + 2] = {}, strides[Shape::rank + 2] = {};
    for (int i = 0; i < V::rank; ++i) {
      int const to = i < at ? i : i + wider;
      if (i != at) extents[to] = v.extents[i], strides[to] = v.strides[i];
    }
    long extent = v.extents[at], stride = v.strides[at];
    view.leaf(extent, stride, origin, extents + at, strides + at);
    for (int i = 0; i < Shape::rank; ++i) r.extents[i] = extents[i], r.strides[i] = strides[i];
    if constexpr (is_buffer<V>) r.x = v.x, r.same_memory(v), r.origin += origin;
    else r.data = v.data + origin;
    return r;
  }
  template <class View, class D>
  static auto of(View const& view, index_node<D>) { return view.position(); }
  template <class View, class Op, class... X>
  static auto of(View const& view, elementwise<Op, X...> const& e) {
    return with_values(e.x, [&](auto const&... x) { return elementwise_of<Op>(into(view, x)...); });
  }
  template <class View, class X, class Y, class... B>
  static auto of(View const& view, contraction<X, Y, types<B...>> const& e) {
    constexpr bool captures = (in<B, typename View::introduced> || ...);
    if constexpr (captures) return of(view, freshened<typename View::introduced>(e));
    else {
      auto x = into(view, e.x);
      auto y = into(view, e.y);
      return contraction<decltype(x), decltype(y), types<B...>>{{}, x, y};
    }
  }
  template <class View, class Op, class X, class... B>
  static auto of(View const& view, reduction<Op, X, types<B...>> const& e) {
    constexpr bool captures = (in<B, typename View::introduced> || ...);
    if constexpr (captures) return of(view, freshened<typename View::introduced>(e));
    else {
      auto x = into(view, e.x);
      return reduction<Op, decltype(x), types<B...>>{{}, x};
    }
  }
  template <class View, class X, class B, class P, class O>
  static auto of(View const& view, softmax_node<X, B, P, O> const& e) {
    if constexpr (!in<typename View::dim, B>) {
      auto x = into(view, e.x);
      return softmax_node<decltype(x), B, P, O>{{}, x, e.guard};
    } else if constexpr (View::renames) {
      auto x = into(view, e.x);
      return softmax_node<decltype(x), typename View::template list<B>::type, P, O>{{}, x, e.guard};
    } else return of(view, store<typename softmax_node<X, B, P, O>::value_type>(e, typename X::shape::dims{})); // a part of a softmax needs the whole
  }
  template <class View, class T, class I, class D>
  static auto of(View const& view, gather_node<T, I, D> const& e) {
    if constexpr (in<D, typename View::introduced>) {
      using Fresh = fresh_t<primed<D>, concat_t<typename T::shape::dims, concat_t<typename I::shape::dims, typename View::introduced>>>;
      auto table = into(rename_view<D, Fresh>{}, e.table);
      return of(view, gather_node<decltype(table), I, Fresh>{{}, table, e.ids});
    } else {
      auto table = into(view, e.table);
      auto ids = into(view, e.ids);
      return gather_node<decltype(table), decltype(ids), D>{{}, table, ids};
    }
  }
  // A view of another dim is one below the merge; a split into what was merged takes it back.
  template <class View, class X, class... B, class C>
  static auto of(View const& view, merged<X, types<B...>, C> const& e) {
    if constexpr (!std::is_same_v<typename View::dim, C> && common_t<typename View::introduced, types<B..., C>>::size == 0) {
      auto x = into(view, e.x);
      return merged<decltype(x), types<B...>, C>{{}, x};
    } else if constexpr (takes_back<typename X::shape, types<B...>, View>) {
      int i = 0;
      ((split_otherwise = split_otherwise || view.sizes[i++] != size_of<B>(e.x)), ...);
      return e.x;
    } else return into(view, unmerged(parts_apart<typename View::introduced>(e)));
  }
  // What is stored has other names than the view of it, so that nobody takes the one for the other.
  template <class Taken, class X, class... B, class C>
  static auto parts_apart(merged<X, types<B...>, C> const& e) {
    using Clash = common_t<types<B...>, Taken>;
    if constexpr (Clash::size == 0) return e;
    else {
      using First = element_of_t<Clash, 0>;
      using Fresh = fresh_t<primed<First>, concat_t<Taken, concat_t<typename X::shape::dims, types<B...>>>>;
      auto x = into(rename_view<First, Fresh>{}, e.x);
      return parts_apart<Taken>(merged<decltype(x), types<rename_dim<B, First, Fresh>...>, C>{{}, x});
    }
  }

  // What lies beside a slice of D and reduces all of D: there the dim gets another name, else two extents would bear one.
  template <class D, class X>
  static auto reduced_apart(X const& x) { return x; }
  template <class D, class Op, class... X>
  static auto reduced_apart(elementwise<Op, X...> const& e) {
    return with_values(e.x, [](auto const&... x) { return elementwise_of<Op>(reduced_apart<D>(x)...); });
  }
  template <class D, class Op, class X, class... B>
  static auto reduced_apart(reduction<Op, X, types<B...>> const& e) {
    if constexpr (in<D, types<B...>>) return freshened<types<D>>(e);
    else {
      auto x = reduced_apart<D>(e.x);
      return reduction<Op, decltype(x), types<B...>>{{}, x};
    }
  }

  // Bound dims that a view would capture get a prime first.
  template <class Taken, class X, class Y, class... B>
  static auto freshened(contraction<X, Y, types<B...>> const& e) {
    using First = element_of_t<common_t<types<B...>, Taken>, 0>;
    using Fresh = fresh_t<primed<First>, concat_t<Taken, concat_t<typename X::shape::dims, typename Y::shape::dims>>>;
    auto x = into(rename_view<First, Fresh>{}, e.x);
    auto y = into(rename_view<First, Fresh>{}, e.y);
    return contraction<decltype(x), decltype(y), types<rename_dim<B, First, Fresh>...>>{{}, x, y};
  }
  template <class Taken, class Op, class X, class... B>
  static auto freshened(reduction<Op, X, types<B...>> const& e) {
    using First = element_of_t<common_t<types<B...>, Taken>, 0>;
    using Fresh = fresh_t<primed<First>, concat_t<Taken, typename X::shape::dims>>;
    auto x = into(rename_view<First, Fresh>{}, e.x);
    return reduction<Op, decltype(x), types<rename_dim<B, First, Fresh>...>>{{}, x};
  }

public:
  /// A product whose summed dims bear none of the names Taken.
  template <class Taken, class X, class Y, class... B>
  static auto apart(contraction<X, Y, types<B...>> const& e) { return freshened<Taken>(e); }

  // Merged dims are next to each other in a buffer, so that the merged dim is a view of it.
  template <class X, class... D, class C>
  static auto unmerged(merged<X, types<D...>, C> const& e) {
    using Last = element_of_t<types<D...>, sizeof...(D) - 1>;
    using Order = typename order_with<minus_t<typename X::shape::dims, minus_t<types<D...>, types<Last>>>, Last, types<D...>>::type;
    auto const stored = store<typename X::value_type>(e.x, Order{});
    return [&]<class... A>(shape<A...>) {
      using V = std::remove_cvref_t<decltype(stored)>;
      typename with_axes<shape<A...>, V>::type r{};
      r.x = stored.x, r.same_memory(stored);
      auto const axis_at = [&]<class E>(std::type_identity<E>, long& extent, long& stride) {
        if constexpr (std::is_same_v<E, C>) {
          extent = (size_of<D>(e.x) * ... * 1);
          stride = stored.strides[index_in<Last>(Order{})];
        } else {
          extent = stored.extents[index_in<E>(Order{})];
          stride = stored.strides[index_in<E>(Order{})];
        }
      };
      int i = 0;
      ((axis_at(std::type_identity<typename A::dim>{}, r.extents[i], r.strides[i]), ++i), ...);
      return r;
    }(typename merged<X, types<D...>, C>::shape{});
  }

private:
  template <class List, class At, class Parts>
  struct order_with;
  template <class... L, class At, class Parts>
  struct order_with<types<L...>, At, Parts> {
    using type = concat_t<std::conditional_t<std::is_same_v<L, At>, Parts, types<L>>...>;
  };
};

template <class View, class X>
auto push(View const& view, X const& x) {
  return pushing::into(view, x);
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail
