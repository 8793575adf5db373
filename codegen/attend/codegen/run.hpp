// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a canonical tree and a place for its result to steps that have run, or are under way, on a machine.
#pragma once
#include <attend/codegen/cover.hpp>
#include <attend/codegen/launch.hpp>
#include <attend/codegen/stream.hpp>
#include <algorithm>
#include <cstring>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {
namespace detail {

/// Whether a machine wants to know how far an evaluation is.
template <class M>
inline constexpr bool reports = requires(M const& on) { on.advance(0.); };

template <machine M, class R, class Out>
void execute(M const& on, R& region, Out const& out);
template <machine M>
struct executing {
  M const& on;
  template <class B>
  void operator()(B& b) const {
    if (b.computed) execute(on, b.x, b.whole());
  }
};
/// Runs the steps before a region, then the region.
template <machine M, class R, class Out>
void execute(M const& on, R& region, Out const& out) {
  each_buffer(region, executing<M>{on});
  if constexpr (M::checks_ids && looks_up<R>) check_ids(region, out);
  launch(on, region, out);
  if constexpr (reports<M>) on.advance(step_cost<R, typename Out::value_type>(run_time_extents<R, Out>{region, out}));
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
    return with_values(e.x, [&](auto const&... x) { return (with(x) || ...); });
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
struct is_recorded : std::false_type {};
template <class X, class W, class L>
struct is_recorded<recorded<X, W, L>> : std::true_type {};
template <class X>
inline constexpr bool has_recorded = stands_in<is_recorded, X>;

/// A tree below the merges at its root, and the view of its result that splits what they merged.
template <class X, class V>
struct rooted {
  X tree;
  V out;
};
struct taking_root {
  template <class X, class V>
  static auto of(X const& tree, V const& out) { return rooted<X, V>{tree, out}; }
  template <class X, class P, class C, class V>
  static auto of(merged<X, P, C> const& tree, V const& out) { return of(tree.x, push(splitting<C>(tree.x, P{}), out)); }
};
template <class X, class V>
auto below_merges(X const& tree, V const& out) {
  return taking_root::of(tree, out);
}

/// A region all of whose buffers have their places.
template <machine M, class R, class T, class S, class... A>
void run_region(M const& on, R& region, tensor_view<T, S, A...> const& out) {
  if (overlaps(region, out)) {
    auto const copy = on.template aside<T>(out.size());
    tensor_view<T, S, A...> aside = out;
    aside.data = copy.get();
    attend::detail::row_major(aside);
    execute(on, region, aside);
    move_to(on, out, aside);
  } else execute(on, region, out);
}

/// All of a plan, not streamed.
template <bool Fuse, machine M, class X, class T, class S, class... A>
void run_at_once(M const& on, X const& tree, tensor_view<T, S, A...> const& out) {
  auto region = cover_into<Fuse, T>(tree);
  if constexpr (Fuse && !M::takes_all)
    if (!taken(on, region, out)) {
      if constexpr (has_recorded<X>) not_taken(on);
      else return run_at_once<false>(on, tree, out);
    }
  placing<false> places;
  places.template root<T>(region, out);
  auto const memory = on.memory(places.lay_out());
  places.settle(memory.data());
  run_region(on, region, out);
}

/// One block after another: all of a plan in one, or the parts of it along Stream.
template <bool Fuse, class Stream, machine M, class X, class T, class S, class... A>
void run_blocks(M const& on, X const& tree, tensor_view<T, S, A...> const& out) {
  long const extent = out.extents[index_in<Stream>(typename shape<A...>::dims{})];
  // one function for the whole and for its parts
  auto const part = [&](long begin, long size) __attribute__((noinline)) { return cover_into<Fuse, T>(cut<Stream>{{begin, size}}(tree)); };
  auto const part_of_out = [&](long begin, long size) { return push(slice_view<Stream, dynamic>{begin, size}, out); };
  auto region = part(0, extent);
  placing<false> places(number_of<Stream>);
  places.template root<T>(region, part_of_out(0, extent));
  auto const blocks = reads(tree, out) ? blocking{extent, extent} : places.blocks(extent);
  auto const memory = on.memory(places.lay_out(blocks));
  if (blocks.whole()) {
    places.settle(memory.data());
    return run_region(on, region, out);
  }
  for (long begin = 0; begin < extent; begin += blocks.block) {
    long const size = std::min(blocks.block, extent - begin);
    auto here = part(begin, size);
    placing<false> of_block(number_of<Stream>, begin > 0);
    auto const result = part_of_out(begin, size);
    of_block.template root<T>(here, result);
    static_cast<void>(of_block.lay_out_block());
    of_block.settle(memory.data());
    execute(on, here, result);
  }
}

/// A tree without a merge at its root.
template <bool Fuse, machine M, class X, class T, class S, class... A>
void run_steps(M const& on, X const& tree, tensor_view<T, S, A...> const& out) {
  static_assert(std::is_same_v<typename M::space, S>);
  if (out.size() == 0 && !has_recorded<X>) return;
  using Stream = stream_of<M, Fuse, X>;
  if constexpr (!std::is_void_v<Stream>) {
    if constexpr (cuts_buffers<Stream, X>)
      if (!cut_as_stored<Stream>(tree)) return run_at_once<Fuse>(on, tree, out);
    run_blocks<Fuse, Stream>(on, tree, out);
  } else run_at_once<Fuse>(on, tree, out);
}

/// Adds up what the steps up to a region cost.
struct adding_costs {
  double& sum;
  template <class R, class Out>
  void of(R& region, Out const& out) const {
    sum += step_cost<R, typename Out::value_type>(run_time_extents<R, Out>{region, out});
    each_buffer(region, *this);
  }
  template <class B>
  void operator()(B& b) const {
    if (b.computed) of(b.x, b.whole());
  }
};
/// The same of a canonical tree.
template <class X, class V>
double plan_cost(X const& tree, V const& out) {
  auto const root = below_merges(tree, out);
  auto region = cover_into<true, typename V::value_type>(root.tree);
  placing<false> places; // finds equal steps
  places.template root<typename V::value_type>(region, root.out);
  double sum = 0;
  adding_costs{sum}.of(region, root.out);
  return sum;
}

/// Tells a machine that wants to know what an evaluation is going to cost.
template <machine M, class X, class V>
void expect(M const& on, X const& tree, V const& out) {
  if constexpr (reports<M>) on.expect(plan_cost(tree, out));
}

/// Runs a canonical tree into a view of its dims.
template <bool Fuse, machine M, class X, class V>
void run(M const& on, X const& tree, V const& out) {
  auto const root = below_merges(tree, out);
  run_steps<Fuse>(on, root.tree, root.out);
}
/// Throws index_error, before anything has run, where an id of a tree is outside its table.
template <class X, class V>
void check_lookups(X const& tree, V const& out) {
  if constexpr (looks_up<X> && machine_for<typename V::space>::type::checks_ids) {
    auto const root = below_merges(tree, out);
    auto region = cover<false>(root.tree);
    checking_known_ids{}.of(region, root.out);
  }
}

} // namespace detail
} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
