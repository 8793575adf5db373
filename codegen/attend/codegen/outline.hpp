// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A plan without values: its steps, what they cost and the workspace they need as functions of the extents, from the
// type of the last step's region alone. Steps of one type count once: whether they read the same tensors is seen when
// they run.
#pragma once
#include <attend/codegen/place.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {

/// Extents that somebody gives by name, in the order of the dims.
template <class... D>
struct given_extents {
  long value[sizeof...(D) + 1];
  constexpr given_extents(std::conditional_t<true, long, D>... n) : value{n..., 0} {}
};

/// What all steps of a plan cost together, the memory between them, and the blocks it runs in.
struct outline {
  int steps = 0;
  long flops = 0, bytes = 0, workspace = 0;
  double cost = 0; // see step_cost
  blocking blocks{};
};

namespace detail {

/// The buffers that a tree or the operands of a region read directly, as a list of types.
struct listing {
  template <class X>
  static auto of(X const*) {
    if constexpr (is_buffer<X>) return types<X>{};
    else return types<>{};
  }
  template <class Op, class... X>
  static auto of(elementwise<Op, X...> const*) { return all(types<X...>{}); }
  template <class T, class I, class D>
  static auto of(gather_node<T, I, D> const*) { return all(types<T, I>{}); }
  template <region_type R>
  static auto of(R const*) { return all(typename R::operand_types{}); }

private:
  template <class... X>
  static auto all(types<X...>) { return concat_t<types<>, decltype(of(static_cast<X const*>(nullptr)))...>{}; }
};
template <class R>
using buffers_of = decltype(listing::of(static_cast<R const*>(nullptr)));

/// How many buffers there are below a region, equal ones included.
template <class R, class List = buffers_of<R>>
inline constexpr int buffer_count = 0;
template <class R, class... B>
inline constexpr int buffer_count<R, types<B...>> = ((1 + buffer_count<decltype(B::x)>) + ... + 0);

/// The static extent of D in the operands of a region, or a negative number.
template <class D, class... X>
constexpr long static_extent(types<X...>) {
  long n = unknown;
  auto const look = [&]<class Y>(Y const*) {
    if constexpr (requires { typename Y::shape; }) n = n >= 0 ? n : extent_in<typename Y::shape, D>;
  };
  (look(static_cast<X const*>(nullptr)), ...);
  return n;
}
/// The operands that say how long a dim of a region's result is, and one that it sums over, which may bear the same name.
template <class R>
struct telling {
  using result = typename R::operand_types;
  using summed = result;
};
template <class Q, class K, class V, class F, class... Rest>
struct telling<attention<Q, K, V, F, Rest...>> {
  using result = types<V, K, Q, F>;
  using summed = types<Q, K>;
};

/// Extents by name for a region: what it fixes, then what the last region fixes, then what the caller gives; a prime's
/// is its dim's.
template <class R, class Last, class... Given>
struct named_extents {
  given_extents<Given...> const& given;

  template <class D>
  constexpr long of() const { return known<D>(static_extent<D>(typename telling<R>::result{})); }
  template <class D>
  constexpr long inner() const { return known<D>(static_extent<D>(typename telling<R>::summed{})); }

private:
  template <class D>
  constexpr long known(long fixed) const {
    if (fixed < 0) fixed = static_extent<D>(typename telling<Last>::result{});
    return fixed >= 0 ? fixed : from_caller<D>();
  }
  template <class D>
  constexpr long from_caller() const {
    constexpr int at = index_in<D>(types<Given...>{});
    if constexpr (at >= 0) return given.value[at];
    else if constexpr (!std::is_same_v<D, typename unprimed<D>::type>) return from_caller<typename unprimed<D>::type>();
    else return unknown;
  }
};

/// Walks the steps of a plan in the order in which they run. Stream: the dim along which it is streamed, or void.
template <class Stream, class Last, class... Given>
struct outlining {
  given_extents<Given...> const& given;
  outline sums{};
  placement buffers[buffer_count<Last> + 1]{};
  void const* types_placed[buffer_count<Last> + 1]{};
  int placed = 0;

  template <class R, class T>
  constexpr void step(int writes) {
    [&]<class... B>(types<B...>) {
      int const reads[] = {place<B>()..., 0};
      for (int i = 0; i < static_cast<int>(sizeof...(B)); ++i) buffers[reads[i]].last = sums.steps;
    }(buffers_of<R>{});
    if (writes >= 0) buffers[writes].first = buffers[writes].last = sums.steps;
    named_extents<R, Last, Given...> const n{given};
    sums.steps += 1;
    sums.flops += flops_of<R>(n);
    sums.bytes += bytes_of<R, T>(n);
    sums.cost += step_cost<R, T>(n);
  }

private:
  template <class... X>
  static constexpr char type_id = 0;

  template <class B>
  constexpr int place() {
    using R = std::remove_const_t<decltype(B::x)>;
    using T = typename B::value_type;
    void const* const type = &type_id<R, T, typename B::stored_dims>;
    for (int i = 0; i < placed; ++i)
      if (types_placed[i] == type) return i;
    int const number = placed++;
    types_placed[number] = type;
    named_extents<R, Last, Given...> const n{given};
    buffers[number].bytes = volume<typename B::stored_dims>(n) * static_cast<long>(sizeof(T));
    buffers[number].streamed = in<Stream, typename B::stored_dims>;
    step<R, T>(number);
    return number;
  }
};

} // namespace detail

/// The outline of the plan that ends in region R, its result being elements of T, streamed along Stream if it is no void.
template <class R, class T, class Stream, class... D>
constexpr outline outline_of(given_extents<D...> const& given) {
  detail::outlining<Stream, R, D...> walk{given};
  walk.template step<R, T>(-1);
  if constexpr (!std::is_void_v<Stream>) {
    walk.sums.blocks = detail::blocks_of(walk.buffers, walk.placed, detail::named_extents<R, R, D...>{given}.template of<Stream>());
  }
  walk.sums.workspace = detail::lay_out(walk.buffers, walk.placed, walk.sums.blocks);
  return walk.sums;
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
