// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a canonical tree and a place for its result to steps that have run, or are under way, on a machine.
#pragma once
#include <attend/codegen/cover.hpp>
#include <attend/codegen/launch.hpp>
#include <cstring>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {
namespace detail {

/// Runs the steps before a region, then the region.
template <machine M, class R, class Out>
void execute(M const& on, R& region, Out const& out) {
  each_buffer(region, [&](auto& b) {
    if (b.computed) execute(on, b.x, b.whole());
  });
  if constexpr (M::checks_ids && looks_up<R>) check_ids(region, out);
  launch(on, region, out);
}

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

/// Whether writing the result while operands are read would change what is still to be read. Only a pass reads and
/// writes an element at one time; any other region needs its operands to stay until it is done.
template <class Out>
struct overlapping {
  Out const& out;
  bool in_place;

  template <class X>
  bool with(X const&) const { return false; }
  template <class T, class S, class... A>
  bool with(tensor_view<T, S, A...> const& v) const {
    auto const a = memory_of(out), b = memory_of(v);
    if (!(a.begin < b.end && b.begin < a.end)) return false;
    if (!in_place || static_cast<void const*>(v.data) != static_cast<void const*>(out.data) || sizeof(T) != sizeof(*out.data)) return true;
    return !([&]<class... D>(types<D...>) { return ((has<tensor_view<T, S, A...>, D> && stride_of<D>(v) == stride_of<D>(out)) && ...); }(typename Out::shape::dims{}));
  }
  template <class Op, class... X>
  bool with(elementwise<Op, X...> const& e) const {
    return [&]<int... I>(std::integer_sequence<int, I...>) { return (with(operand_of<I>(e)) || ...); }(std::make_integer_sequence<int, sizeof...(X)>{});
  }
  template <class T, class I, class D>
  bool with(gather_node<T, I, D> const& e) const { return overlapping{out, false}.with(e.table) || with(e.ids); }
};
template <class X>
inline constexpr bool is_pass = false;
template <class X>
inline constexpr bool is_pass<pass<X>> = true;
template <class R, class Out>
bool overlaps(R const& region, Out const& out) {
  overlapping<Out> const o{out, is_pass<R>};
  return region.operands([&](auto const&... x) { return (o.with(x) || ...); });
}

/// Elements side by side to where a view has them; for the few results that overlap an operand, so made for size.
[[gnu::cold]] inline void scatter(std::byte const* from, std::byte* to, long size, int rank, long const* extents, long const* strides) {
  if (rank == 0) return void(std::memcpy(to, from, static_cast<std::size_t>(size)));
  long inner = size;
  for (int i = 1; i < rank; ++i) inner *= extents[i];
  for (long i = 0; i < extents[0]; ++i) scatter(from + i * inner, to + i * strides[0] * size, size, rank - 1, extents + 1, strides + 1);
}

template <class T, class... A>
void move_to(host_machine, tensor_view<T, struct host, A...> const& out, tensor_view<T, struct host, A...> const& aside) {
  scatter(reinterpret_cast<std::byte const*>(aside.data), reinterpret_cast<std::byte*>(out.data), sizeof(T), out.rank, out.extents, out.strides);
}

/// Whether a tree has an attention that writes more than its output.
template <class X>
inline constexpr bool has_recorded = false;
template <template <class...> class Node, class... X>
inline constexpr bool has_recorded<Node<X...>> = (has_recorded<X> || ...);
template <class X, class W, class L>
inline constexpr bool has_recorded<recorded<X, W, L>> = true;

template <bool Fuse, machine M, class X, class T, class S, class... A>
void run(M const& on, X const& tree, tensor_view<T, S, A...> const& out) {
  static_assert(std::is_same_v<typename M::space, S>);
  auto region = cover<Fuse>(tree);
  if (out.size() == 0 && !has_recorded<X>) return;
  if constexpr (Fuse && !M::takes_all)
    if (!taken(on, region, out)) {
      if constexpr (has_recorded<X>) not_taken(on);
      else return run<false>(on, tree, out);
    }
  placing<false> places;
  places.template root<T>(region, out);
  auto const memory = on.memory(places.lay_out());
  places.settle(memory.data());
  if (overlaps(region, out)) {
    auto const copy = on.template aside<T>(out.size());
    tensor_view<T, S, A...> aside = out;
    aside.data = copy.get();
    attend::detail::row_major(aside);
    execute(on, region, aside);
    move_to(on, out, aside);
  } else execute(on, region, out);
}
/// Throws index_error, before anything has run, where an id of a tree is outside its table.
template <class X, class T, class S, class... A>
void check_lookups(X const& tree, tensor_view<T, S, A...> const& out) {
  if constexpr (looks_up<X> && machine_for<S>::type::checks_ids) {
    auto region = cover<false>(tree);
    check_known_ids(region, out);
  }
}
template <class X, class... D, class C, class T, class S, class... A>
void check_lookups(merged<X, types<D...>, C> const& tree, tensor_view<T, S, A...> const& out) {
  split_view<C, axis<D, dynamic>...> const view{{size_of<D>(tree.x)...}};
  check_lookups(tree.x, push(view, out));
}

// A result of merged dims is written through the view that splits them.
template <bool Fuse, machine M, class X, class... D, class C, class T, class S, class... A>
void run(M const& on, merged<X, types<D...>, C> const& tree, tensor_view<T, S, A...> const& out) {
  split_view<C, axis<D, dynamic>...> const view{{size_of<D>(tree.x)...}};
  run<Fuse>(on, tree.x, push(view, out));
}

} // namespace detail
} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
