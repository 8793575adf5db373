// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Streaming: a dim along which every row of the result is made of its own operands alone - nothing sums, normalises or
// looks up along it - is run in blocks, so that what lies between two big tensors stays in the cache. Which dim is a
// matter of the type; how long a block is, or whether there is but one, of the extents.
#pragma once
#include <algorithm>
#include <attend/codegen/cover.hpp>
#include <attend/codegen/outline.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail {

/// Whether a tree reduces over a dim of the name D where a pass over rows of D might do it too.
template <class X, class D>
inline constexpr bool reduces_over = false;
template <class Op, class... X, class D>
inline constexpr bool reduces_over<elementwise<Op, X...>, D> = (reduces_over<X, D> || ...);
template <class Op, class X, class B, class D>
inline constexpr bool reduces_over<reduction<Op, X, B>, D> = in<D, B> || reduces_over<X, D>;
template <class X, class B, class P, class O, class D>
inline constexpr bool reduces_over<softmax_node<X, B, P, O>, D> = in<D, B> || reduces_over<X, D>;

/// Whether a tree that has D can be cut along it, every part being computed from parts of its operands.
template <class D>
struct cutting {
  template <class X>
  static constexpr bool can(X const* x) {
    if constexpr (!has<X, D>) return !reduces_over<X, D>; // the same for all parts, and of no rows that are cut
    else return of(x);
  }
  template <class... X>
  static constexpr bool all(types<X...>) { return (can(static_cast<X const*>(nullptr)) && ...); }

private:
  template <class X>
  static constexpr bool of(X const*) { return false; }
  template <class T, class S, class... A>
  static constexpr bool of(tensor_view<T, S, A...> const*) { return true; }
  static constexpr bool of(index_node<D> const*) { return true; }
  template <class Op, class... X>
  static constexpr bool of(elementwise<Op, X...> const*) { return all(types<X...>{}); }
  // weights without D would be computed anew for every part
  template <class X, class Y, class B, class O>
  static constexpr bool of(contraction<X, Y, B, O> const*) {
    return all(types<X, Y>{}) && (softmaxes<X> == 0 || has<X, D>) && (softmaxes<Y> == 0 || has<Y, D>);
  }
  template <class Op, class X, class B>
  static constexpr bool of(reduction<Op, X, B> const*) { return all(types<X>{}); }
  template <class X, class B, class P, class O>
  static constexpr bool of(softmax_node<X, B, P, O> const*) { return !in<D, B> && all(types<X>{}); }
  template <class X, class W, class L>
  static constexpr bool of(recorded<X, W, L> const*) { return all(types<X>{}); }
  // a buffer that has D as it is stored, not as a part of a merged dim or by another name
  template <class X, class T, class... S, class... A>
  static constexpr bool of(buffer<X, T, types<S...>, A...> const*) {
    constexpr int merged_dims = minus_t<types<typename A::dim...>, types<S...>>::size;
    return in<D, types<S...>> && merged_dims <= 1 && (merged_dims == 1 || sizeof...(S) == sizeof...(A)) && all(types<X>{});
  }
};

/// Where the last of some dims is in a list; 0 if there are none.
template <class Some, class... D>
constexpr int place_of_last(types<D...>) {
  int at = 0, i = 0;
  ((in<D, Some> ? void(at = i) : void(), ++i), ...);
  return at;
}

/// A part of a canonical tree along D: positions begin to begin + size.
template <class D>
struct cut {
  slice_view<D, dynamic> view;

  template <class X>
  auto operator()(X const& x) const {
    if constexpr (!has<X, D>) return x;
    else return of(x);
  }

private:
  template <class X>
  auto of(X const& x) const { return with_subtrees(x, *this); }
  template <class T, class S, class... A>
  auto of(tensor_view<T, S, A...> const& x) const { return push(view, x); }
  auto of(index_node<D> const& x) const { return push(view, x); }
  template <class X, class W, class L>
  auto of(recorded<X, W, L> const& e) const {
    auto const x = (*this)(e.x);
    auto const weights = written(e.to.weights);
    auto const sums = written(e.to.sums);
    return recorded<std::remove_cv_t<decltype(x)>, std::remove_cv_t<decltype(weights)>, std::remove_cv_t<decltype(sums)>>{{}, x, {weights, sums, e.to.weights_scale}};
  }
  static no_view written(no_view v) { return v; }
  template <class V>
  auto written(V const& v) const { return push(view, v); }
  // The part is stored by itself; a merged dim is seen in it as it was in the whole.
  template <class X, class T, class... S, class... A>
  auto of(buffer<X, T, types<S...>, A...> const& b) const {
    auto const part = store<T>((*this)(b.x), types<S...>{}, b);
    using P = std::remove_cv_t<decltype(part)>;
    typename with_axes<shape<axis<typename A::dim, (std::is_same_v<typename A::dim, D> ? dynamic : A::extent)>...>, P>::type r{};
    r.x = part.x, r.same_memory(part);
    int i = 0;
    auto const one = [&]<class E>(std::type_identity<E>) {
      constexpr int at = index_in<E>(types<S...>{});
      if constexpr (at >= 0) r.extents[i] = part.extents[at], r.strides[i] = part.strides[at];
      else { // the merged dim: as long as before, its last part's stride
        r.extents[i] = b.extents[i], r.strides[i] = part.strides[place_of_last<minus_t<types<S...>, types<typename A::dim...>>>(types<S...>{})];
      }
      ++i;
    };
    (one(std::type_identity<typename A::dim>{}), ...);
    return r;
  }
};

/// Estimated bytes of a region's buffers that have D; of all where D is void.
template <class D>
struct carrying {
  template <class... B>
  static constexpr double of(types<B...>) { return (one(static_cast<B const*>(nullptr)) + ... + 0.); }

private:
  template <class X, class T, class... S, class... A>
  static constexpr double one(buffer<X, T, types<S...>, A...> const*) {
    double const below = of(buffers_of<X>{});
    return std::is_void_v<D> || in<D, types<S...>> ? below + (estimated_extent<S, shape<A...>>() * ... * static_cast<double>(sizeof(T))) : below;
  }
};

/// The dim along which a tree is streamed, or void: of those that most of what lies between its steps has, the outermost
/// one position of which is expected to be little enough, else the longest.
template <class X, class Region>
struct stream_dim {
  /// Whether one position of so many is little enough to be a block, by estimate.
  static constexpr bool fits(double extent, double bytes) { return bytes <= 2 * stream_bytes * extent; }
  template <class... D>
  static auto first(types<D...>) {
    constexpr double all = carrying<void>::of(buffers_of<Region>{});
    constexpr bool any = ((cutting<D>::can(static_cast<X const*>(nullptr)) && 2 * carrying<D>::of(buffers_of<Region>{}) > all) || ...);
    if constexpr (!any) return types<>{};
    else {
      constexpr bool carries[] = {(cutting<D>::can(static_cast<X const*>(nullptr)) && 2 * carrying<D>::of(buffers_of<Region>{}) > all)...};
      constexpr double extents[] = {estimated_extent<D, typename X::shape>()...};
      constexpr int at = [&] {
        int best = -1;
        for (int i = 0; i < static_cast<int>(sizeof...(D)); ++i)
          if (carries[i] && (best < 0 || (!fits(extents[best], all) && extents[i] > extents[best]))) best = i;
        return best;
      }();
      return types<element_of_t<types<D...>, at>>{};
    }
  }
  using list = decltype(first(typename X::shape::dims{}));
  template <class List>
  struct only {
    using type = void;
  };
  template <class D>
  struct only<types<D>> {
    using type = D;
  };
  using type = typename only<list>::type;
};
template <class X, class Region>
using stream_dim_t = typename stream_dim<X, Region>::type;

/// The dim along which a machine streams a canonical tree, or void. Ids are checked when they are there, so that what
/// looks up is not written in parts.
template <class M, bool Fuse, class X, bool Streams = M::streams && !looks_up<X>>
struct streaming {
  using type = void;
};
template <class M, bool Fuse, class X>
struct streaming<M, Fuse, X, true> : stream_dim<X, std::remove_cv_t<decltype(cover<Fuse>(std::declval<X const&>()))>> {};
template <class M, bool Fuse, class X>
using stream_of = typename streaming<M, Fuse, X>::type;

// The bytes from the lowest to the highest element of a view.
struct range {
  char const *begin, *end;
};
template <class V>
range memory_of(V const& v) {
  long low = 0, high = 0;
  for (int i = 0; i < V::rank; ++i) {
    if (v.extents[i] == 0) return {nullptr, nullptr};
    long const reach = (v.extents[i] - 1) * v.strides[i];
    (reach < 0 ? low : high) += reach;
  }
  return {reinterpret_cast<char const*>(v.data + low), reinterpret_cast<char const*>(v.data + high + 1)};
}

/// Calls f for every tensor and every buffer of a canonical tree, those inside buffers too.
template <class X, class F>
void each_leaf(X const& x, F& f) {
  if constexpr (is_leaf<X>) f(x);
  each_subtree::of([&](auto const& y) { each_leaf(y, f); }, x);
}

/// Whether memory of a view may be read by a tree, here or further down.
template <class V, class X>
bool reads(X const& tree, V const& v) {
  bool found = false;
  auto look = [&](auto const& x) {
    if constexpr (!is_buffer<std::remove_cvref_t<decltype(x)>>) {
      auto const a = memory_of(v), b = memory_of(x);
      found = found || (a.begin < b.end && b.begin < a.end);
    }
  };
  each_leaf(tree, look);
  return found;
}

/// Whether a buffer is seen as it is stored, but for a merged dim: all of it, nothing turned round.
template <class X, class T, class... S, class... A>
bool as_stored(buffer<X, T, types<S...>, A...> const& b) {
  auto const whole = b.whole();
  bool same = b.origin == 0;
  long parts = 1; // of a merged dim
  auto const part = [&]<class D>(std::type_identity<D>) {
    constexpr int at = index_in<D>(types<typename A::dim...>{}), in_whole = index_in<D>(types<S...>{});
    if constexpr (at >= 0) same = same && b.extents[at] == whole.extents[in_whole] && b.strides[at] == whole.strides[in_whole];
    else parts *= whole.extents[in_whole];
  };
  (part(std::type_identity<S>{}), ...);
  auto const merged_dim = [&]<class D>(std::type_identity<D>, long extent) {
    if constexpr (!in<D, types<S...>>) same = same && extent == parts;
  };
  int i = 0;
  (merged_dim(std::type_identity<typename A::dim>{}, b.extents[i++]), ...);
  return same;
}
/// Whether a tree can be cut along D as its type says.
template <class D, class X>
bool cut_as_stored(X const& tree) {
  bool all = true;
  auto look = [&](auto const& x) {
    if constexpr (is_buffer<std::remove_cvref_t<decltype(x)>>)
      if constexpr (has<std::remove_cvref_t<decltype(x)>, D>) all = all && as_stored(x);
  };
  each_leaf(tree, look);
  return all;
}
/// Whether it has buffers that are to be cut.
template <class D>
struct stored_along {
  template <class X>
  struct is : std::false_type {};
  template <class X, class T, class S, class... A>
  struct is<buffer<X, T, S, A...>> : std::bool_constant<in<D, types<typename A::dim...>>> {};
};
template <class D, class X>
inline constexpr bool cuts_buffers = stands_in<stored_along<D>::template is, X>;

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail
