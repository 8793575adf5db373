// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reduce-then-map: stages, each a reduction over the inner axes that knows the results of those before it, then a last
// functor over the outer axes (reduce) or over all of them (normalise). Softmax, layer norm, mean, logsumexp are all this.
//
// Sums in f32 of n terms differ from the exact sum of the same terms by at most
//   (block_steps + 2 + log2 lanes + ceil(log2 blocks)) * 2^-24 * sum |terms|, to first order,
// with blocks as rows_geometry counts them: 64 terms in turn, the rest by halves. In f64 likewise with 2^-53.
// Whole numbers are summed in 64 bits. Max and min hand on NaN. The order of all operations is fixed by extents and
// strides, so that results do not depend on the number of threads.
#pragma once
#include <attend/kernels/thrust/cascade.hpp>
#include <attend/kernels/thrust/in_parallel.hpp>
#include <attend/kernels/thrust/map.hpp>
#include <attend/kernels/thrust/rows_geometry.hpp>
#include <tbb/task_arena.h>
#include <vector>

namespace attend::kernels::passes {

/// A reduction by Op - op::add, op::max or op::min - of F, a functor over outer and inner axes; its argument<i> is the
/// result of the i-th stage before it.
template <class Op, class F>
struct stage {
  F f;
};

inline namespace ATTEND_DETAIL_ISA {
namespace detail {

template <class Stage>
struct stage_traits;
template <class Op_, class F_>
struct stage_traits<stage<Op_, F_>> {
  using op = Op_;
  using functor = F_;
};

// One pass over groups of rows. Geometry is a rows_geometry, Whole whether the last functor runs over all axes.
template <class L, class Geometry, bool Whole, class T, int R, class Final, class... Stages>
struct rows_pass {
  Geometry const& geometry;
  strided<T, R> const& out;
  Final const& final;
  attend::detail::pack<Stages...> const& stages;

  using group = typename Geometry::group;
  static constexpr int lane = Geometry::lane, axes = Geometry::axes, columns = Geometry::columns;
  static constexpr int width = Geometry::width;
  static constexpr std::size_t stage_count = sizeof...(Stages);

  template <std::size_t I>
  using stage_at = std::tuple_element_t<I, std::tuple<Stages...>>;
  // What stage I adds up, given earlier results Args, and what later functors are given of it.
  template <std::size_t I, class... Args>
  using sum_of = accumulator<L, std::remove_cvref_t<decltype(value<L>(
                                    std::declval<typename stage_traits<stage_at<I>>::functor const&>(),
                                    place<L, lane>(std::declval<point<axes> const&>(), 1), std::declval<Args const&>()...))>>;
  template <class A>
  using result_of = std::conditional_t<Geometry::vertical, A, uniform<L, A>>;

  /// The sum of one chunk of a group for stage I.
  template <std::size_t I, class... Args, class A = sum_of<I, Args...>>
  [[gnu::noinline]] void reduce_chunk(group const& g, long chunk, node<A, columns>& sum, Args const*... args) const {
    using Op = typename stage_traits<stage_at<I>>::op;
    auto const& f = static_cast<attend::detail::slot<static_cast<int>(I), stage_at<I>> const&>(stages).value.f;
    long const first = chunk * Geometry::chunk_blocks;
    long const last = std::min(geometry.blocks, first + Geometry::chunk_blocks);
    if (last - first == 1) return reduce_block<Op>(g, first, sum, f, args...);
    cascade<Op, A, columns> tree;
    for (long i = first; i < last; ++i) {
      reduce_block<Op>(g, i, sum, f, args...);
      tree.push(sum, g.used);
    }
    sum = tree.total(g.used);
  }

  /// The sum of chunks [first, last) of a group.
  template <std::size_t I, class... Args, class A = sum_of<I, Args...>>
  void reduce_chunks(group const& g, long first, long last, node<A, columns>& sum, Args const*... args) const {
    using Op = typename stage_traits<stage_at<I>>::op;
    if (last - first == 1) return reduce_chunk<I>(g, first, sum, args...);
    if (last == first) return std::fill(sum.column, sum.column + columns, identity<Op, L, A>());
    cascade<Op, A, columns> tree;
    for (long c = first; c < last; ++c) {
      reduce_chunk<I>(g, c, sum, args...);
      tree.push(sum, g.used);
    }
    sum = tree.total(g.used);
  }

  template <class Op, class A, class F, class... Args>
  [[gnu::noinline]] void reduce_block(group const& g, long i, node<A, columns>& sum, F const& f, Args const*... args) const {
    auto const b = geometry.block_at(i);
    A const neutral = identity<Op, L, A>();
    point<axes> at = g.at;
    geometry.go_to_line(at, b.line);
    if constexpr (Geometry::vertical) {
      for (A& x : sum.column) x = neutral;
      for (long line = b.line; line < b.last; ++line, geometry.next_line(at)) {
        point<axes> here = at;
        for (int j = 0; j < g.used; ++j, here.at[lane] += width) {
          int const count = std::min(width, g.rows - j * width);
          sum.column[j] = combine<Op>(sum.column[j], accumulated<L>(value<L>(f, place<L, lane>(here, count), args[j]...)));
        }
      }
    } else {
      A part[4] = {neutral, neutral, neutral, neutral};
      static_assert(Geometry::parallel == 4);
      unsigned step = 0;
      for (long line = b.line; line < b.last; ++line, geometry.next_line(at))
        for (long x = b.begin; x < b.end; x += width, ++step) {
          at.at[lane] = x;
          int const count = static_cast<int>(std::min<long>(width, b.end - x));
          A v = accumulated<L>(value<L>(f, place<L, lane>(at, count), *args...));
          if (count < width) v = first_lanes<L>(v, count, neutral);
          part[step % 4] = combine<Op>(part[step % 4], v);
        }
      sum.column[0] = combine<Op>(combine<Op>(part[0], part[1]), combine<Op>(part[2], part[3]));
    }
  }

  /// Turns the sum of a whole group into what later functors are given.
  template <std::size_t I, class A>
  void finish(node<A, columns> const& sum, result_of<A>* result) const {
    if constexpr (Geometry::vertical) std::copy(sum.column, sum.column + columns, result);
    else *result = across<typename stage_traits<stage_at<I>>::op, L>(sum.column[0]);
  }

  /// Writes what the last functor gives for one chunk of a group (normalise), or for the group (reduce).
  template <class... Args>
  [[gnu::noinline]] void write_chunk(group const& g, long chunk, Args const*... args) const {
    if constexpr (Whole) {
      long const first = chunk * Geometry::chunk_blocks;
      long const last = std::min(geometry.blocks, first + Geometry::chunk_blocks);
      for (long i = first; i < last; ++i) {
        auto const b = geometry.block_at(i);
        point<axes> at = g.at;
        geometry.go_to_line(at, b.line);
        for (long line = b.line; line < b.last; ++line, geometry.next_line(at)) {
          if constexpr (!Geometry::vertical) at.at[lane] = b.begin;
          write_line(g, at, b.end, args...);
        }
      }
    } else write_line(g, g.at, 0, args...);
  }
  template <class... Args>
  void write_line(group const& g, point<axes> at, long end, Args const*... args) const {
    T* p = out.data;
    for (int axis = 0; axis < R; ++axis) p += at.at[axis] * out.stride[axis];
    if constexpr (Geometry::vertical)
      for (int j = 0; j < g.used; ++j, at.at[lane] += width, p += width * out.stride[lane]) {
        int const count = std::min(width, g.rows - j * width);
        write<L>(p, out.stride[lane], count, value<L>(final, place<L, lane>(at, count), args[j]...));
      }
    else if constexpr (Whole) write_run<L, lane>(p, out.stride[lane], at, end, final, *args...);
    else write<L>(p, 1, 1, value<L>(final, place<L, lane>(at, 1), *args...));
  }

  /// One group from its first stage to its last write, in one task: what it reads stays in the cache.
  template <std::size_t I, class... Args>
  void run_group(group const& g, Args const*... args) const {
    if constexpr (I == stage_count) {
      for (long c = 0; c < (Whole ? geometry.chunks : 1); ++c) write_chunk(g, c, args...);
    } else {
      using A = sum_of<I, Args...>;
      node<A, columns> sum;
      reduce_chunks<I>(g, 0, geometry.chunks, sum, args...);
      result_of<A> result[columns];
      finish<I>(sum, result);
      run_group<I + 1>(g, args..., static_cast<result_of<A> const*>(result));
    }
  }

  /// All groups together, stage by stage, their chunks shared out: for few long rows. Same bits as run_group.
  template <std::size_t I, class... Args>
  void run_chunks(Args const*... args) const {
    long const chunks = geometry.chunks;
    if constexpr (I == stage_count) {
      long const each = Whole ? chunks : 1;
      in_parallel(geometry.groups * each, [&](long i) {
        write_chunk(geometry.group_at(i / each), i % each, (args + i / each * columns)...);
      });
    } else {
      using A = sum_of<I, Args...>;
      long span = 1; // chunks a task sums: a power of two, so that it sums a subtree
      while (geometry.groups * (chunks / span) > 1024) span *= 2;
      long const each = (chunks + span - 1) / span;
      std::vector<node<A, columns>> sums(static_cast<std::size_t>(geometry.groups * each));
      in_parallel(geometry.groups * each, [&](long i) {
        long const first = i % each * span;
        reduce_chunks<I>(geometry.group_at(i / each), first, std::min(chunks, first + span),
                         sums[static_cast<std::size_t>(i)], (args + i / each * columns)...);
      });
      std::vector<result_of<A>> results(static_cast<std::size_t>(geometry.groups * columns));
      for (long i = 0; i < geometry.groups; ++i) {
        int const used = geometry.group_at(i).used;
        cascade<typename stage_traits<stage_at<I>>::op, A, columns> tree;
        for (long c = 0; c < each; ++c) tree.push(sums[static_cast<std::size_t>(i * each + c)], used);
        finish<I>(tree.total(used), results.data() + i * columns);
      }
      run_chunks<I + 1>(args..., static_cast<result_of<A> const*>(results.data()));
    }
  }

  void run() const {
    if (geometry.chunks > 1 && geometry.groups < 4l * ::tbb::this_task_arena::max_concurrency()) return run_chunks<0>();
    long const per_task = std::max(1l, tiles::elements / std::max(1l, geometry.work()));
    in_parallel((geometry.groups + per_task - 1) / per_task, [&](long i) {
      long const last = std::min(geometry.groups, (i + 1) * per_task);
      for (long g = i * per_task; g < last; ++g) run_group<0>(geometry.group_at(g));
    });
  }
};

template <class L, int Lane, int Outer, int Inner, bool Whole, class T, int R, class Final, class... Stages>
void run_rows(long const* extent, strided<T, R> const& out, Final const& f, attend::detail::pack<Stages...> const& stages) {
  // A page of a line where it is read once, less where a group's lines should stay in the cache for the next stage.
  constexpr int side_by_side = !Whole && sizeof...(Stages) == 1 ? 1024 : 128;
  rows_geometry<Lane, Outer, Inner, lane_width<L>, side_by_side> const geometry(extent);
  rows_pass<L, decltype(geometry), Whole, T, R, Final, Stages...>{geometry, out, f, stages}.run();
}

// Lanes along the last inner axis, or along the last outer one where memory lies so.
template <class N, int Outer, int Inner, bool Whole, class T, int R, class Final, class... Stages>
void rows(strided<T, R> const& out, long const* inner, Final const& f, Stages const&... stages) {
  static_assert(Inner > 0, "a reduction needs an axis to reduce");
  using L = lane_number<N>;
  constexpr int axes = Outer + Inner, width = lane_width<L>;
  long extent[axes];
  std::copy(out.extent, out.extent + Outer, extent);
  std::copy(inner, inner + Inner, extent + Outer);
  survey_of<R, Final, typename stage_traits<Stages>::functor...> const s(out.stride, f, stages.f...);
  s.join(extent, Outer, axes - 1, axes - 1);
  attend::detail::pack<Stages...> const kept{{stages}...};
  if constexpr (Outer > 0) {
    s.join(extent, 0, Outer - 1, Outer - 1);
    int const first = Whole ? 0 : 1; // a reduced result is written too rarely to matter
    if (s.cost(Outer - 1, extent[Outer - 1], width, first) < s.cost(axes - 1, extent[axes - 1], width, first))
      return run_rows<L, Outer - 1, Outer, Inner, Whole>(extent, out, f, kept);
  }
  run_rows<L, axes - 1, Outer, Inner, Whole>(extent, out, f, kept);
}

} // namespace detail

/// out[outer] = f(outer; results of the stages), each stage reduced over the inner axes of the given extents.
/// Axes 0..Outer-1 of the functors are out's; Outer..Outer+Inner-1 of the stages' are the inner ones. Over no elements a
/// sum is 0, a max minus infinity or the lowest whole number, a min plus infinity or the highest.
template <class N, class T, int Outer, int Inner, class Final, class... Stages>
void reduce(strided<T, Outer> out, long const (&inner)[Inner], Final const& f, Stages const&... stages) {
  detail::rows<N, Outer, Inner, false>(out, inner, f, stages...);
}

/// out[outer, inner] = f(outer, inner; results of the stages), each stage reduced over the inner axes. out may be an
/// operand whose elements it replaces one for one.
template <class N, class T, int Outer, int Inner, class Final, class... Stages>
void normalise(strided<T, Outer + Inner> out, Final const& f, Stages const&... stages) {
  detail::rows<N, Outer, Inner, true>(out, out.extent + Outer, f, stages...);
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::passes
