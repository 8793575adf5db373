// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Associate: a chain of affine maps is evaluated in the cheapest order. (x A + a) B + b is x (A B) + (a B + b), which is
// cheaper where x is long and A B short; the order is found by dynamic programming over the chain (the matrix-chain
// problem: Godbole, "On efficient computation of matrix chain products", 1973, here by named dims and with offsets).
// What maps make together is computed in f64 and rounded once, so that an offset that cancels another loses nothing.
#pragma once
#include <array>
#include <attend/codegen/chain.hpp>
#include <attend/codegen/cost.hpp>
#include <attend/codegen/patterns/attention.hpp>
#include <cstdint>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail {

/// Dims as bits of a number, in the order of a list.
using dim_set = std::uint64_t;

/// The cheapest order of a chain. Places count from 0, the data; maps from 1.
template <int Maps>
struct chain_order {
  /// Of the maps first to last together: the last map of the first part.
  std::array<std::array<int, Maps + 1>, Maps + 1> middle{};
  /// Of the data behind map number i: how many maps before were applied first, the rest at once.
  std::array<int, Maps + 1> before{};
  bool as_written = true;
};

/// All that the order of a chain depends on.
template <int Maps, int Dims>
struct chain_problem {
  std::array<double, Dims> extent{};
  std::array<int, Dims> bound_by{};         // the map that sums over a dim, 0: none
  std::array<dim_set, Maps + 1> dims{};     // of the data and the maps
  std::array<dim_set, Maps + 1> offset{};   // dims of the offsets
  std::array<bool, Maps + 1> has_offset{};

  /// What moving an element is worth in operations; decides between orders of as many.
  static constexpr double element = 4;
  /// The share of the cost as written that must go before another order is worth its steps.
  static constexpr double worth_it = 0.75;

  constexpr double size(dim_set s) const {
    double n = 1;
    for (int i = 0; i < Dims; ++i) n *= s >> i & 1 ? extent[static_cast<std::size_t>(i)] : 1;
    return n;
  }
  constexpr dim_set bound(int first, int last) const {
    dim_set s = 0;
    for (int i = 0; i < Dims; ++i)
      if (int const by = bound_by[static_cast<std::size_t>(i)]; by >= first && by <= last) s |= dim_set(1) << i;
    return s;
  }
  /// The dims of maps first to last made one: a dim that one of them sums over is gone once no place outside has it.
  constexpr dim_set together(int first, int last) const {
    dim_set inside = 0, outside = 0;
    for (int i = 0; i <= Maps; ++i) (i >= first && i <= last ? inside : outside) |= dims[static_cast<std::size_t>(i)];
    return inside & ~(bound(first, last) & ~outside);
  }
  /// The dims of the data behind map number last.
  constexpr dim_set value(int last) const {
    dim_set s = 0;
    for (int i = 0; i <= last; ++i) s |= dims[static_cast<std::size_t>(i)];
    return s & ~bound(1, last);
  }
  /// Whether maps first to last add anything, and its dims.
  constexpr bool shifts(int first, int last) const {
    for (int i = first; i <= last; ++i)
      if (has_offset[static_cast<std::size_t>(i)]) return true;
    return false;
  }
  constexpr dim_set offset_of(int first, int last) const {
    dim_set s = 0;
    for (int i = first; i <= last; ++i) {
      if (shifts(first, i - 1)) s |= dims[static_cast<std::size_t>(i)];
      s = (s & ~bound(i, i)) | offset[static_cast<std::size_t>(i)];
    }
    return s;
  }
  /// Whether every offset has the dims that later maps sum over: else it would be the same along them, which no map takes.
  constexpr bool offsets_fit() const {
    for (int from = 1; from <= Maps; ++from) {
      if (!has_offset[static_cast<std::size_t>(from)]) continue;
      dim_set s = offset[static_cast<std::size_t>(from)];
      for (int i = from + 1; i <= Maps; ++i) {
        if (bound(i, i) & ~s) return false;
        s = (s | dims[static_cast<std::size_t>(i)]) & ~bound(i, i);
      }
    }
    return true;
  }
  constexpr double product(dim_set a, dim_set b, dim_set c) const { return 2 * size(a | b) + element * (size(a) + size(b) + size(c)); }

  /// What it costs to make maps first to last one, cut in the middle.
  constexpr double making(int first, int middle, int last) const {
    double cost = f64_operation * product(together(first, middle), together(middle + 1, last), together(first, last));
    if (shifts(first, middle)) cost += f64_operation * product(offset_of(first, middle), together(middle + 1, last), offset_of(first, last));
    return cost;
  }
  /// What it costs to take the data from behind map number `before` to behind number `last` at once.
  constexpr double applying(int before, int last) const { return product(value(before), together(before + 1, last), value(last)); }
  constexpr double written() const {
    double cost = 0;
    for (int last = 1; last <= Maps; ++last) cost += applying(last - 1, last);
    return cost;
  }
  /// The cost of an order.
  constexpr double cost(chain_order<Maps> const& order) const {
    double sum = 0;
    for (int last = Maps; last > 0; last = order.before[static_cast<std::size_t>(last)]) {
      int const before = order.before[static_cast<std::size_t>(last)];
      sum += applying(before, last) + made(order, before + 1, last);
    }
    return sum;
  }
  constexpr bool better(chain_order<Maps> const& order) const { return cost(order) <= worth_it * written(); }

  constexpr chain_order<Maps> solved() const {
    chain_order<Maps> best;
    if (!offsets_fit()) return best;
    for (int width = 1; width < Maps; ++width)
      for (int first = 1; first + width <= Maps; ++first) {
        int const last = first + width;
        double least = -1;
        for (int middle = first; middle < last; ++middle) {
          double const cost = made(best, first, middle) + made(best, middle + 1, last) + making(first, middle, last);
          if (least < 0 || cost < least) least = cost, best.middle[static_cast<std::size_t>(first)][static_cast<std::size_t>(last)] = middle;
        }
      }
    std::array<double, Maps + 1> cost{};
    for (int last = 1; last <= Maps; ++last) {
      double least = -1;
      for (int before = last - 1; before >= 0; --before) {
        double const all = cost[static_cast<std::size_t>(before)] + made(best, before + 1, last) + applying(before, last);
        if (least < 0 || all < least) least = all, best.before[static_cast<std::size_t>(last)] = before;
      }
      cost[static_cast<std::size_t>(last)] = least;
    }
    best.as_written = !better(best);
    return best;
  }

private:
  constexpr double made(chain_order<Maps> const& order, int first, int last) const {
    if (first == last) return 0;
    int const middle = order.middle[static_cast<std::size_t>(first)][static_cast<std::size_t>(last)];
    return made(order, first, middle) + made(order, middle + 1, last) + making(first, middle, last);
  }
};

template <class List, class Other>
inline constexpr dim_set bits_of = 0;
template <class... D, class Other>
inline constexpr dim_set bits_of<types<D...>, Other> = [] {
  dim_set s = 0;
  int i = 0;
  ((s |= in<D, Other> ? dim_set(1) << i : 0, ++i), ...);
  return s;
}();
template <dim_set Set, class List>
struct dims_in;
template <dim_set Set, class... D>
struct dims_in<Set, types<D...>> {
  template <class E>
  using one = std::conditional_t<(Set >> index_in<E>(types<D...>{}) & 1) != 0, types<E>, types<>>;
  using type = concat_t<types<>, one<D>...>;
};

/// The dim a tree of weights is normalised over, where it is around one softmax over one.
template <class X>
struct softmax_dim {
  using type = void;
};
template <class X, class D, class P, class O>
struct softmax_dim<softmax_node<X, types<D>, P, O>> {
  using type = D;
};
template <class Op, class... X>
struct softmax_dim<elementwise<Op, X...>> {
  template <bool One, class = void>
  struct of {
    using type = void;
  };
  template <class V>
  struct of<true, V> : softmax_dim<element_of_t<types<X...>, place_of_one<softmaxes<X>...>>> {};
  using type = typename of<(softmaxes<X> + ...) == 1>::type;
};

template <class Data, class... Maps>
struct reordering {
  using law = algebra<false>;
  using read = chain<Data, Maps...>;
  static constexpr int count = sizeof...(Maps);
  using list = unite_all<typename Data::shape::dims, typename Maps::dims..., typename Maps::offset_type::shape::dims...>;

  /// Assumed: how long dims are that the compiler does not know the extent of; 0: what is likely.
  static constexpr auto problem_for(long assumed) {
    chain_problem<count, list::size> p{};
    [&]<class... D>(types<D...>) {
      std::size_t i = 0;
      ((p.extent[i++] = estimated_extent<D, typename Data::shape, typename Maps::map_type::shape...>(assumed)), ...);
    }(list{});
    p.dims[0] = bits_of<list, typename Data::shape::dims>;
    std::size_t i = 1;
    auto const one = [&]<class M>(M const*) {
      p.dims[i] = bits_of<list, typename M::dims>;
      p.offset[i] = bits_of<list, typename M::offset_type::shape::dims>;
      p.has_offset[i] = M::shifted;
      for (std::size_t d = 0; d < static_cast<std::size_t>(list::size); ++d)
        if (bits_of<list, typename M::bound> >> d & 1) p.bound_by[d] = static_cast<int>(i);
      ++i;
    };
    (one(static_cast<Maps const*>(nullptr)), ...);
    return p;
  }
  static constexpr auto problem = problem_for(0);
  static constexpr auto best = problem.solved();
  /// Whether the order is better whatever the extents are that the compiler does not know.
  static constexpr bool always = !best.as_written && problem_for(1).better(best) && problem_for(1 << 16).better(best);

  template <dim_set Set>
  using dims_of = typename dims_in<Set, list>::type;

  read const& c;

  /// The data behind map number Last.
  template <int Last>
  auto value() const {
    if constexpr (Last == 0) return c.data;
    else {
      constexpr int before = best.before[Last];
      auto const x = value<before>();
      constexpr dim_set gone = (problem.value(before) | problem.together(before + 1, Last)) & ~problem.value(Last);
      auto const y = applied<gone>(x, map<before + 1, Last>());
      if constexpr (before + 1 == Last) {
        auto const& m = map_of<Last>(c);
        auto const z = scaled(m, y, m.scale);
        if constexpr (!std::remove_cvref_t<decltype(m)>::shifted) return z;
        else return law::add(z, scaled(m, m.offset, m.offset_scale));
      } else if constexpr (!problem.shifts(before + 1, Last)) return y;
      else return law::add(y, folded_offset(exact_offset<before + 1, Last>()));
    }
  }

private:
  using element_type = typename Data::value_type;

  template <class M, class X>
  static auto scaled(M const&, X const& x, double a) {
    if constexpr (M::scaled) return law::scale_by(x, a);
    else return x;
  }
  template <class T, class X>
  static auto rounded(X const& x) { return law::apply(op::cast<T>{}, x); }

  // What maps make together is computed once, in f64, and rounded once.
  template <class T, class X>
  static auto folded_as(X const& x) {
    auto const y = rounded<T>(x);
    return store<T>(y, storage_order_t<std::remove_cv_t<decltype(y)>>{});
  }
  template <class X>
  static auto folded(X const& x) { return folded_as<element_type>(x); }
  // An offset is added to sums that are not rounded yet, as the offsets that it is made of would be: in 16 bits it would
  // lose more than they do.
  template <class X>
  static auto folded_offset(X const& x) {
    if constexpr (!half_precision<element_type> || std::is_same_v<typename X::space, struct cuda>) return folded(x);
    else {
      auto const y = folded_as<accumulate_t<element_type>>(x);
      return elementwise_of<op::counted_as<element_type>>(y);
    }
  }

  // Maps First to Last made one, as the data meets it.
  template <int First, int Last>
  auto map() const {
    if constexpr (First == Last) return map_of<First>(c).map;
    else return folded(exact<First, Last>());
  }
  template <int First, int Last>
  auto exact() const {
    if constexpr (First == Last) {
      auto const& m = map_of<First>(c);
      return scaled(m, rounded<double>(m.map), m.scale);
    } else {
      constexpr int middle = best.middle[First][Last];
      constexpr dim_set gone = (problem.together(First, middle) | problem.together(middle + 1, Last)) & ~problem.together(First, Last);
      return product<gone>(exact<First, middle>(), exact<middle + 1, Last>());
    }
  }
  template <int First, int Last>
  auto exact_offset() const {
    if constexpr (First == Last) {
      auto const& m = map_of<First>(c);
      return scaled(m, rounded<double>(m.offset), m.offset_scale);
    } else {
      constexpr int middle = best.middle[First][Last];
      constexpr bool first = problem.shifts(First, middle), second = problem.shifts(middle + 1, Last);
      constexpr dim_set gone = (problem.offset_of(First, middle) | problem.together(middle + 1, Last)) & problem.bound(middle + 1, Last);
      if constexpr (!first) return exact_offset<middle + 1, Last>();
      else {
        auto const carried = product<gone>(exact_offset<First, middle>(), exact<middle + 1, Last>());
        if constexpr (!second) return carried;
        else return law::add(carried, exact_offset<middle + 1, Last>());
      }
    }
  }
  template <dim_set Gone, class X, class Y>
  static auto product(X const& x, Y const& y) {
    if constexpr (Gone == 0) return law::mul(x, y);
    else return law::product(x, y, dims_of<Gone>{});
  }
  // Weights that meet values over more than the dim they are normalised over: attention by that dim, the rest summed.
  template <dim_set Bound, class X, class Y>
  static auto applied(X const& x, Y const& y) {
    using D = dims_of<Bound>;
    using T = typename softmax_dim<X>::type;
    if constexpr (D::size > 1 && !std::is_void_v<T> && in<T, D>) {
      auto const attended = law::product(x, y, types<T>{});
      // what few there is of comes first, so that the sum runs along what there is much of
      using All = typename decltype(attended)::shape::dims;
      auto const stored = store<accumulate_t<typename decltype(attended)::value_type>>(attended, concat_t<common_t<All, typename Y::shape::dims>, minus_t<All, typename Y::shape::dims>>{});
      return reduction<op::sum, std::remove_cv_t<decltype(stored)>, minus_t<D, types<T>>>{{}, stored};
    } else return law::product(x, y, D{});
  }
};

/// The tree with its chains in their cheapest order. Likely: also those whose
/// order depends on extents that the compiler does not know.
template <bool Likely>
struct associating {
  template <class X>
  auto operator()(X const& x) const {
    if constexpr (!stands_in<has_chain, X>) return x;
    else if constexpr (!has_chain<X>::value) return with_subtrees(x, *this);
    else {
      auto const c = reading_chain<typename X::shape::dims>::of(x);
      if constexpr (!reordered(c)) return with_subtrees(x, *this);
      else return ordered(c);
    }
  }

private:
  template <class X, class... M>
  static constexpr bool reordered(chain<X, M...> const&) {
    if constexpr (sizeof...(M) < 2) return false;
    else return !reordering<X, M...>::best.as_written && (Likely || reordering<X, M...>::always);
  }
  // Maps and data are trees themselves.
  template <class X, class... M>
  auto ordered(chain<X, M...> const& c) const {
    return with_values(c.maps, [&](auto const&... map) {
      auto const again = linked((*this)(c.data), map_associated(map)...);
      return value_of(again);
    });
  }
  template <class X, class... M>
  static auto linked(X const& x, M const&... m) { return chain<X, M...>{x, {{m}...}}; }
  template <class X, class... M>
  static auto value_of(chain<X, M...> const& c) { return reordering<X, M...>{c}.template value<sizeof...(M)>(); }
  template <class M, class D, class B, bool S>
  auto map_associated(affine<M, D, B, S> const& a) const {
    auto const map = (*this)(a.map);
    auto const offset = offset_associated(a.offset);
    return affine<std::remove_cv_t<decltype(map)>, D, std::remove_cv_t<decltype(offset)>, S>{map, offset, a.scale, a.offset_scale};
  }
  static no_offset offset_associated(no_offset x) { return x; }
  template <class B>
  auto offset_associated(B const& b) const { return (*this)(b); }
};

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail

namespace attend::codegen::inline ATTEND_DETAIL_ISA {

/// A canonical tree of the same value whose chains of affine maps are in their cheapest order: in the one that is likely
/// to be, or where that depends on extents that the compiler does not know, as they are.
template <bool Likely = true, class X>
auto associate(X const& x) {
  return detail::associating<Likely>{}(x);
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
