// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chains: a canonical tree read as data that goes through affine maps, y = scale (x . map) + offset, one after another. A
// projection of a projection is one, and so are the scores of an attention whose query is a projection.
#pragma once
#include <attend/codegen/algebra.hpp>
#include <attend/codegen/subtrees.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail {

/// Where a map adds nothing.
struct no_offset {
  using shape = attend::shape<>;
};

/// y = scale * (the sum over Bound of x times map) + offset_scale * offset. Scaled: whether the two numbers are not 1.
template <class Map, class Bound, class Offset, bool Scaled>
struct affine {
  using map_type = Map;
  using bound = Bound;
  using offset_type = Offset;
  using dims = typename Map::shape::dims;
  static constexpr bool scaled = Scaled, shifted = !std::is_same_v<Offset, no_offset>;
  Map map;
  Offset offset;
  double scale, offset_scale;
};

/// Data and the maps it goes through, the first first.
template <class Data, class... Maps>
struct chain {
  using data_type = Data;
  using map_types = types<Maps...>;
  static constexpr int length = sizeof...(Maps);
  Data data;
  attend::detail::pack<Maps...> maps;
};
/// Map number I, counted from 1.
template <int I, class Data, class... Maps>
auto const& map_of(chain<Data, Maps...> const& c) {
  return static_cast<attend::detail::slot<I - 1, element_of_t<types<Maps...>, I - 1>> const&>(c.maps).value;
}

/// Whether B has some of A's dims, not all: what is added in all of them is data itself.
template <class B, class A>
inline constexpr bool narrower = minus_t<typename B::shape::dims, typename A::shape::dims>::size == 0 && B::shape::rank < A::shape::rank && floating<typename B::value_type>;

/// How many affine maps a tree ends in, at most: whichever operand of a product is the data.
template <class X>
inline constexpr int maps_at_end = 0;
template <class X, class Y, class D, class O>
  requires floating<typename contraction<X, Y, D, O>::value_type>
inline constexpr int maps_at_end<contraction<X, Y, D, O>> = 1 + (maps_at_end<X> > maps_at_end<Y> ? maps_at_end<X> : maps_at_end<Y>);
template <class X>
inline constexpr int maps_at_end<elementwise<op::mul, X, scalar<double>>> = maps_at_end<X>;
template <class X, class Y>
inline constexpr int maps_at_end<elementwise<op::add, X, Y>> = maps_at_end<X> > 0 && narrower<Y, X> ? maps_at_end<X> : narrower<X, Y> ? maps_at_end<Y> : 0;
template <class X, class Y>
inline constexpr int maps_at_end<elementwise<op::sub, X, Y>> = narrower<Y, X> ? maps_at_end<X> : 0;
template <class X>
inline constexpr bool ends_in_map = maps_at_end<X> > 0;
/// Whether a tree may end in a chain that has another order.
template <class X>
struct has_chain : std::bool_constant<(maps_at_end<X> > 1)> {};

/// What the planner takes a dim's extent to be where the compiler does not know it: batches few, rows and columns many.
template <class D>
inline constexpr long assumed_extent = D::kind == role::batch ? 8 : 1024;
template <class D, class... Shapes>
constexpr double estimated_extent(long assumed = 0) {
  long n = unknown;
  ((n = n >= 0 ? n : extent_in<Shapes, D>), ...);
  return static_cast<double>(n >= 0 ? n : assumed > 0 ? assumed : assumed_extent<D>);
}
template <class Shape>
inline constexpr double estimated_size = 1;
template <class... A>
inline constexpr double estimated_size<shape<A...>> = (estimated_extent<typename A::dim, shape<A...>>() * ... * 1.);

/// One overload per way to end in a map. Outer: dims that the maps after this one, and the result, have.
template <class Outer>
struct reading_chain {
  template <class X>
  static auto of(X const& x) { return chain<X>{x, {}}; }
  template <class X, class Y, class D, class O>
  static auto of(contraction<X, Y, D, O> const& e) {
    // a dim summed over here that bears the name of another further out gets a name of its own
    if constexpr (common_t<D, Outer>::size > 0) return of(pushing::apart<Outer>(e));
    // the larger operand is the data, the other the map
    else if constexpr (estimated_size<typename X::shape> >= estimated_size<typename Y::shape>) return mapped<D>(e.x, e.y);
    else return mapped<D>(e.y, e.x);
  }
  template <class X>
  static auto of(elementwise<op::mul, X, scalar<double>> const& e) {
    if constexpr (!ends_in_map<X>) return chain<std::remove_cvref_t<decltype(e)>>{e, {}};
    else return with_last(of(operand_of<0>(e)), [&]<class M, class D, class B, bool S>(affine<M, D, B, S> const& m) {
      double const a = operand_of<1>(e).value;
      return affine<M, D, B, true>{m.map, m.offset, m.scale * a, m.offset_scale * a};
    });
  }
  template <class X, class Y>
  static auto of(elementwise<op::add, X, Y> const& e) {
    if constexpr (ends_in_map<X> && narrower<Y, X>) return shifted(of(operand_of<0>(e)), operand_of<1>(e));
    else if constexpr (ends_in_map<Y> && narrower<X, Y>) return shifted(of(operand_of<1>(e)), operand_of<0>(e));
    else return chain<elementwise<op::add, X, Y>>{e, {}};
  }
  template <class X, class Y>
  static auto of(elementwise<op::sub, X, Y> const& e) {
    if constexpr (ends_in_map<X> && narrower<Y, X>) return shifted(of(operand_of<0>(e)), algebra<false>::scale_by(operand_of<1>(e), -1));
    else return chain<elementwise<op::sub, X, Y>>{e, {}};
  }

private:
  template <class D, class X, class Y>
  static auto mapped(X const& data, Y const& map) {
    auto const before = reading_chain<concat_t<Outer, typename Y::shape::dims>>::of(data);
    return appended(before, affine<Y, D, no_offset, false>{map, {}, 1, 1});
  }
  template <class X, class... M, class Last>
  static auto appended(chain<X, M...> const& c, Last const& last) {
    return with_values(c.maps, [&](M const&... map) { return chain<X, M..., Last>{c.data, {{map}..., {last}}}; });
  }
  template <class X, class... M, class F>
  static auto with_last(chain<X, M...> const& c, F const& f) {
    return [&]<int... I>(std::integer_sequence<int, I...>) {
      return appended(chain<X, element_of_t<types<M...>, I>...>{c.data, {{map_of<I + 1>(c)}...}}, f(map_of<sizeof...(M)>(c)));
    }(std::make_integer_sequence<int, sizeof...(M) - 1>{});
  }
  template <class C, class B>
  static auto shifted(C const& c, B const& b) {
    return with_last(c, [&]<class M, class D, class Old, bool S>(affine<M, D, Old, S> const& m) {
      if constexpr (std::is_same_v<Old, no_offset>) return affine<M, D, B, S>{m.map, b, m.scale, 1};
      else {
        auto const both = algebra<false>::add(algebra<false>::scale_by(m.offset, m.offset_scale), b);
        return affine<M, D, std::remove_cv_t<decltype(both)>, S>{m.map, both, m.scale, 1};
      }
    });
  }
};

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail
