// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reduce-then-map: stages, each a reduction over the inner axes that knows the results of those before it, then a last
// functor over the outer axes (reduce) or over all of them (normalise): softmax, layer norm, mean, logsumexp.
//
// Sums in f32 of n terms differ from the exact sum of the same terms by at most
//   (block_steps + 2 + log2 lanes + ceil(log2 blocks)) * 2^-24 * sum |terms|, to first order,
// with blocks as rows_geometry counts them: 64 terms in turn, the rest by halves. In f64 likewise with 2^-53.
// Whole numbers are summed in 64 bits. Max and min hand on NaN. The order of all operations is fixed by extents and
// strides, so that results do not depend on the number of threads.
#pragma once
#include <attend/kernels/thrust/lanes.hpp>
#include <attend/kernels/thrust/row_place.hpp>
#include <attend/kernels/thrust/rows_schedule.hpp>
#include <attend/pack.hpp>
#include <tuple>

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

template <class Op, class A>
void combine_sums(std::byte* sum, std::byte const* other, int used) {
  auto* const x = reinterpret_cast<A*>(sum);
  auto const* const y = reinterpret_cast<A const*>(other);
  for (int j = 0; j < used; ++j) x[j] = combine<Op>(x[j], y[j]);
}
template <class Op, class L, class A>
void across_lanes(std::byte* sum) {
  auto* const x = reinterpret_cast<A*>(sum);
  *x = A(across<Op, L>(*x));
}

// The functors of a pass over `Axes` axes, as the plain functions of a schedule.
template <class L, int Axes, class T, int R, class Final, class... Stages>
struct rows_pass {
  static constexpr int width = lane_width<L>;

  rows_geometry const& geometry;
  strided<T, R> const& out;
  Final const& final;
  attend::detail::pack<Stages...> const& stages;

  template <int I>
  using stage_at = std::tuple_element_t<I, std::tuple<Stages...>>;
  // What stage I is accumulated in.
  template <int I, int... Before>
  static auto sum_at(std::integer_sequence<int, Before...>) {
    using value_type =
        decltype(value<L>(std::declval<typename stage_traits<stage_at<I>>::functor const&>(),
                          std::declval<row_place<L, Axes>&>().to(0, 1), std::declval<sum_t<Before> const&>()...));
    return std::type_identity<accumulator<L, std::remove_cvref_t<value_type>>>{};
  }
  template <int I>
  using sum_t = typename decltype(sum_at<I>(std::make_integer_sequence<int, I>{}))::type;

  // Adds vectors of a line to the accumulators, as many to each, and says where the rest begins.
  template <int I, class F, class A, class... Args>
  [[gnu::always_inline]] static long add_dense(F const& f, long const* line, long begin, long end, A* sum, Args const&... args) {
    using Op = typename stage_traits<stage_at<I>>::op;
    static_assert(rows_geometry::parallel == 4);
    dense_place<Axes> at(line);
    auto const added = [&](A const& to, long x) __attribute__((always_inline)) {
      return combine<Op>(to, accumulated<L>(value<L>(f, at.to(x), args...)));
    };
    long x = begin;
    A a = sum[0], b = sum[1], c = sum[2], d = sum[3];
    for (; x + 4 * width <= end; x += 4 * width) {
      a = added(a, x), b = added(b, x + width);
      c = added(c, x + 2 * width), d = added(d, x + 3 * width);
    }
    sum[0] = a, sum[1] = b, sum[2] = c, sum[3] = d;
    return x;
  }

  template <int I, int... Before>
  static void reduce(rows_pass const& p, row_group const& g, row_block const& b, std::byte* to,
                     std::byte const* const* args, std::integer_sequence<int, Before...>) {
    using Op = typename stage_traits<stage_at<I>>::op;
    using A = sum_t<I>;
    // A copy, which no store can change: strides stay in registers.
    auto const f = static_cast<attend::detail::slot<I, stage_at<I>> const&>(p.stages).value.f;
    rows_geometry const& n = p.geometry;
    bool const vertical = n.vertical;
    int const mask = n.columns - 1;
    A const neutral = identity<Op, L, A>();
    A* const sum = reinterpret_cast<A*>(to);
    long const begin = b.begin, end = b.end;
    int const used = vertical ? g.used : n.parallel, lane = n.lane;
    for (int j = 0; j < used; ++j) sum[j] = neutral;
    long line[Axes];
    for (int axis = 0; axis < Axes; ++axis) line[axis] = g.at[axis];
    if (b.line > 0) n.go_to_line(line, b.line);
    int column = 0;
    for (long i = b.line; i < b.last; ++i) {
      if (i > b.line) n.next_line(line);
      long x = begin;
      if constexpr (width > 1)
        if (n.dense) x = add_dense<I>(f, line, begin, end, sum, *reinterpret_cast<sum_t<Before> const*>(args[Before])...);
      row_place<L, Axes> at(line, lane); // nobody else sees it: it stays in registers
      if (vertical) column = 0;
      for (; x < end; x += width, column = (column + 1) & mask) {
        int const count = static_cast<int>(std::min<long>(width, end - x));
        [[maybe_unused]] int const arg = vertical ? column : 0;
        A v =
            accumulated<L>(value<L>(f, at.to(x, count), reinterpret_cast<sum_t<Before> const*>(args[Before])[arg]...));
        if (count < width && !vertical) v = first_lanes<L>(v, count, neutral);
        sum[column] = combine<Op>(sum[column], v);
      }
    }
    static_assert(rows_geometry::parallel == 4);
    if (!vertical) sum[0] = combine<Op>(combine<Op>(sum[0], sum[1]), combine<Op>(sum[2], sum[3]));
  }

  // Writes the whole vectors of a line and says where the rest begins. The stages' results are copies, which no store can
  // change: what is made of them alone is made once.
  template <class F, class... Args>
  [[gnu::always_inline]] static long write_dense(F const& f, long const* line, long begin, long end, T* to, Args... args) {
    dense_place<Axes> at(line);
    long x = begin;
    for (; x + width <= end; x += width, to += width) passes::write<L>(to, 1, width, value<L>(f, at.to(x), args...));
    return x;
  }
  template <int... I>
  static void write(rows_pass const& p, row_group const& g, row_block const& b, std::byte const* const* args,
                    std::integer_sequence<int, I...>) {
    rows_geometry const& n = p.geometry;
    bool const vertical = n.vertical;
    int const lane = n.lane;
    long const stride = lane < R ? p.out.stride[lane] : 0;
    auto const f = p.final;
    long const begin = b.begin, end = b.end;
    long line[Axes];
    for (int axis = 0; axis < Axes; ++axis) line[axis] = g.at[axis];
    if (b.line > 0) n.go_to_line(line, b.line);
    for (long i = b.line; i < b.last; ++i) {
      if (i > b.line) n.next_line(line);
      row_place<L, Axes> at(line, lane);
      T* to = p.out.data + begin * stride;
      for (int axis = 0; axis < R; ++axis) to += line[axis] * p.out.stride[axis];
      int column = 0;
      long x = begin;
      if constexpr (width > 1)
        if (n.dense) {
          x = write_dense(f, line, begin, end, to, *reinterpret_cast<sum_t<I> const*>(args[I])...);
          to += x - begin;
        }
      for (; x < end; x += width, to += width * stride, column += vertical) {
        int const count = static_cast<int>(std::min<long>(width, end - x));
        passes::write<L>(to, stride, count,
                         value<L>(f, at.to(x, count), reinterpret_cast<sum_t<I> const*>(args[I])[column]...));
      }
    }
  }

  template <int I>
  static row_stage stage_of() {
    using Op = typename stage_traits<stage_at<I>>::op;
    return {[](void const* p, row_group const& g, row_block const& b, std::byte* to, std::byte const* const* args) {
              reduce<I>(*static_cast<rows_pass const*>(p), g, b, to, args, std::make_integer_sequence<int, I>{});
            },
            combine_sums<Op, sum_t<I>>, across_lanes<Op, L, sum_t<I>>, sizeof(sum_t<I>), I};
  }
  // A formula names what it needs as often as it needs it: a variance the mean twice, what it scales once more.
  template <int I, int J>
  bool same_stages() const {
    if constexpr (!std::is_same_v<stage_at<I>, stage_at<J>>) return false;
    else
      return same(static_cast<attend::detail::slot<I, stage_at<I>> const&>(stages).value.f,
                  static_cast<attend::detail::slot<J, stage_at<J>> const&>(stages).value.f);
  }
  template <int I, int... Before>
  int first_same(std::integer_sequence<int, Before...>) const {
    int first = I;
    ((first = first == I && same_stages<I, Before>() ? Before : first), ...);
    return first;
  }
  template <int... I>
  void run(bool whole, std::integer_sequence<int, I...> all) const {
    static_assert(sizeof...(I) <= rows_schedule::max_stages, "rows take at most 8 stages");
    static_cast<void>(all);
    row_stage table[] = {stage_of<I>()..., {}};
    ((table[I].as = first_same<I>(std::make_integer_sequence<int, I>{})), ...);
    rows_schedule{geometry,
                  this,
                  table,
                  sizeof...(I),
                  whole,
                  [](void const* p, row_group const& g, row_block const& b, std::byte const* const* args) {
                    write(*static_cast<rows_pass const*>(p), g, b, args,
                          std::make_integer_sequence<int, sizeof...(I)>{});
                  }}
        .run();
  }
};

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
  int lane = axes - 1;
  if constexpr (Outer > 0) {
    s.join(extent, 0, Outer - 1, Outer - 1);
    int const first = Whole ? 0 : 1; // a reduced result is written too rarely to matter
    if (s.cost(Outer - 1, extent[Outer - 1], width, first) < s.cost(lane, extent[lane], width, first)) lane = Outer - 1;
  }
  attend::detail::pack<Stages...> const kept{{stages}...};
  // A page of a line where it is read once, less where a group's lines should stay in the cache for the next stage.
  constexpr int side_by_side = !Whole && sizeof...(Stages) == 1 ? 1024 : 128;
  rows_geometry const geometry(extent, axes, Outer, lane, width, side_by_side, s.dense(lane));
  rows_pass<L, axes, T, R, Final, Stages...>{geometry, out, f, kept}.run(
      Whole, std::make_integer_sequence<int, sizeof...(Stages)>{});
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
