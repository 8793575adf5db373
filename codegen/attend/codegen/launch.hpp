// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launch on the host: one overload per region, from a covered region and the view of its result to a call of a kernel.
// What the kernel needs - axes, strides, functors without names - is gathered here; the kernel's header knows no expression.
#pragma once
#include <attend/codegen/lower.hpp>
#include <attend/codegen/machine.hpp>
#include <attend/codegen/outline.hpp>
#include <attend/errors.hpp>
#include <attend/kernels/contraction/contract.hpp>
#include <attend/kernels/cpu/attention.hpp>
#include <attend/kernels/thrust/map.hpp>
#include <attend/kernels/thrust/rows.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail {

template <class D, class V>
long stride_of(V const& v) {
  constexpr int at = index_in<D>(typename V::shape::dims{});
  if constexpr (at >= 0) return v.strides[at];
  else return 0;
}
template <class D, class V>
long extent_of(V const& v) {
  constexpr int at = index_in<D>(typename V::shape::dims{});
  if constexpr (at >= 0) return v.extents[at];
  else return 1;
}

/// Whether a tree computes in f64: its numbers are, or those it compares.
template <class X>
inline constexpr bool in_double = std::is_same_v<typename X::value_type, double> && !is_scalar<X>;
template <class Op, class... X>
inline constexpr bool in_double<elementwise<Op, X...>> = std::is_same_v<typename elementwise<Op, X...>::value_type, double> || (in_double<X> || ...);
template <class T, class I, class D>
inline constexpr bool in_double<gather_node<T, I, D>> = in_double<T> || in_double<I>;
template <class... X>
using number_for = std::conditional_t<(in_double<X> || ...), double, float>;

/// Throws index_error when an id of a look-up in a tree is outside its table. Ids that a step computes are seen when it
/// has run (Computed), the others before anything runs.
template <bool Computed>
struct checking {
  template <class X, class Extents>
  static void ids(X const&, Extents const&) {}
  template <class Op, class... X, class Extents>
  static void ids(elementwise<Op, X...> const& e, Extents const& n) {
    with_values(e.x, [&](X const&... x) { (ids(x, n), ...); });
  }
  template <class T, class I, class D, class Extents>
  static void ids(gather_node<T, I, D> const& e, Extents const& n) {
    ids(e.ids, n);
    if constexpr (Computed == (buffers_of<I>::size > 0)) check<D>(lower(e.ids, typename I::shape::dims{}), extent_of<D>(e.table), n, typename I::shape::dims{});
  }

private:
  template <class D, class F, class Extents, class... Axes>
  static void check(F const& f, long rows, Extents const& n, types<Axes...>) {
    constexpr int rank = sizeof...(Axes);
    long const extent[rank + 1] = {n.template of<Axes>()..., 0};
    kernels::point<rank> at{};
    long count = 1;
    for (int i = 0; i < rank; ++i) count *= extent[i];
    for (long k = 0; k < count; ++k) {
      long const id = static_cast<long>(kernels::value<double>(f, at));
      if (id < 0 || id >= rows) id_beyond_table(&D::name, rows, id);
      for (int i = rank; i-- > 0;) {
        if (++at.at[i] < extent[i]) break;
        at.at[i] = 0;
      }
    }
  }
};

template <class R, class Out>
void check_ids(R const& region, Out const& out) {
  run_time_extents<R, Out> const n{region, out};
  region.operands([&](auto const&... x) { (checking<true>::ids(x, n), ...); });
}
/// The same of all ids that are known before anything runs, here and in the steps before.
struct checking_known_ids {
  template <class R, class Out>
  void of(R& region, Out const& out) const {
    run_time_extents<R, Out> const n{region, out};
    region.operands([&](auto const&... x) { (checking<false>::ids(x, n), ...); });
    each_buffer(region, *this);
  }
  template <class B>
  void operator()(B& b) const {
    if constexpr (looks_up<decltype(b.x)>) of(b.x, b.whole());
  }
};

template <class... Axes, class T, class S, class... A>
kernels::strided<T, sizeof...(Axes)> strided_by(tensor_view<T, S, A...> const& v, types<Axes...>) {
  return {v.data, {extent_of<Axes>(v)...}, {stride_of<Axes>(v)...}};
}

// ---- 6: a pass over the elements of the result
template <class X, class T, class... A>
void launch(host_machine, pass<X> const& r, tensor_view<T, struct host, A...> const& out) {
  using Axes = typename shape<A...>::dims;
  kernels::passes::map<number_for<X>>(strided_by(out, Axes{}), lower(r.x, Axes{}));
}

// ---- 3, 4: rows
/// The functors of a region of rows over Axes: f(last, stages...), each stage a Stage of its operation and functor.
template <template <class, class> class Stage, class Axes, class Last, class Inner, bool Each, class... S, class F>
auto with_functors(rows<Last, Inner, Each, S...> const& r, F f) {
  return with_values(r.stages, [&](S const&... s) {
    auto const lowered = []<class One>(One const& one) {
      auto const g = lower(one.x, Axes{});
      return Stage<typename One::op, std::remove_cv_t<decltype(g)>>{g};
    };
    return f(lower(r.last, Axes{}), lowered(s)...);
  });
}
template <class Last, class Inner, bool Each, class... S, class T, class... A>
void launch(host_machine, rows<Last, Inner, Each, S...> const& r, tensor_view<T, struct host, A...> const& out) {
  using Outer = minus_t<typename shape<A...>::dims, Inner>;
  using Axes = concat_t<Outer, Inner>;
  using N = number_for<Last, decltype(S::x)...>;
  with_functors<kernels::passes::stage, Axes>(r, [&](auto const& last, auto const&... stages) {
    if constexpr (Each) kernels::passes::normalise<N, T, Outer::size, Inner::size>(strided_by(out, Axes{}), last, stages...);
    else {
      run_time_extents<rows<Last, Inner, Each, S...>, tensor_view<T, struct host, A...>> const n{r, out};
      [&]<class... D>(types<D...>) {
        long const inner[] = {n.template of<D>()...};
        kernels::passes::reduce<N, T, Outer::size, Inner::size>(strided_by(out, Outer{}), inner, last, stages...);
      }(Inner{});
    }
  });
}

// ---- 2: a product with its epilogue
template <class T>
constexpr kernels::contraction::data_type data_type_of() {
  using kernels::contraction::data_type;
  return std::is_same_v<T, double> ? data_type::f64 : std::is_same_v<T, bf16> ? data_type::bf16 : std::is_same_v<T, f16> ? data_type::f16 : data_type::f32;
}
template <class Op>
constexpr kernels::contraction::activation activation_of() {
  using kernels::contraction::activation;
  return std::is_same_v<Op, op::relu>        ? activation::relu
         : std::is_same_v<Op, op::gelu>      ? activation::gelu
         : std::is_same_v<Op, op::gelu_tanh> ? activation::gelu_tanh
         : std::is_same_v<Op, op::sigmoid>   ? activation::sigmoid
         : std::is_same_v<Op, op::tanh>      ? activation::tanh
                                             : activation::none;
}
template <class V, class... D>
kernels::contraction::operand matrix_operand(V const& v, types<D...> dims) {
  if constexpr (std::is_same_v<V, nothing>) return {};
  else if constexpr (read_as_stored<V>) return matrix_operand(operand_of<0>(v), dims);
  else return {data_of<typename V::value_type>(v), data_type_of<typename V::value_type>(), {stride_of<D>(v)...}};
}
/// The product as its kernels take it: without names, all of it at run time.
template <class X, class Y, class Dims, class Act, class B, class R, class T, class S, class... A>
kernels::contraction::problem problem_of(product<X, Y, Dims, Act, B, R> const& r, tensor_view<T, S, A...> const& out) {
  using Axes = concat_t<typename shape<A...>::dims, Dims>;
  static_assert(Axes::size <= kernels::contraction::max_axes, "contract(x, y, dims) requires at most 12 dimensions");
  kernels::contraction::problem p;
  p.axes = Axes::size;
  run_time_extents<product<X, Y, Dims, Act, B, R>, tensor_view<T, S, A...>> const n{r, out};
  [&]<class... D>(types<D...>) {
    p.extents = {n.template of<D>()...};
    p.out = {out.data, data_type_of<T>(), {stride_of<D>(out)...}};
  }(Axes{});
  p.x = matrix_operand(r.x, Axes{});
  p.y = matrix_operand(r.y, Axes{});
  p.sums = data_type_of<accumulate_t<typename product<X, Y, Dims, Act, B, R>::value_type>>();
  p.finish = {r.scale.value, matrix_operand(r.bias, Axes{}), activation_of<Act>(), matrix_operand(r.residual, Axes{})};
  return p;
}
template <class... X, class T, class... A>
void launch(host_machine, product<X...> const& r, tensor_view<T, struct host, A...> const& out) {
  kernels::contraction::contract(problem_of(r, out));
}

// ---- 1: fused attention
template <class Row, class Column, class V, class... Batch>
auto matrix_of(V const& v, types<Batch...>) {
  return kernels::cpu::matrix<typename V::value_type const, sizeof...(Batch)>{data_of<typename V::value_type>(v), {stride_of<Batch>(v)...}, stride_of<Row>(v), stride_of<Column>(v)};
}
// A further result of an attention, if there is one: matrices of (rows, columns), or of (rows) where Column is void.
template <class Row, class Column, class V, class... Batch>
auto further_matrix(V const& v, types<Batch...>) {
  if constexpr (std::is_same_v<V, no_view>) return kernels::cpu::matrix<void, sizeof...(Batch)>{};
  else return kernels::cpu::matrix<typename V::value_type, sizeof...(Batch)>{v.data, {stride_of<Batch>(v)...}, stride_of<Row>(v), stride_of<Column>(v)};
}
template <class V>
struct written_type {
  using type = typename V::value_type;
};
template <>
struct written_type<no_view> {
  using type = void;
};
/// An attention as its kernels take it: f(problem, score, weighing, gain, other results), gain being `nothing` where there
/// is none.
template <class... X, class Out, class Space, class... A, class F>
auto with_attention(attention<X...> const& r, tensor_view<Out, Space, A...> const& out, F f) {
  using R = attention<X...>;
  using Batch = typename R::batch;
  using S = typename R::row;
  using T = typename R::column;
  using D = typename R::depth;
  using E = typename R::width;
  constexpr int rank = Batch::size;
  kernels::cpu::attention_problem<typename decltype(r.query)::value_type, Out, rank> p{};
  [&]<class... B>(types<B...>) {
    long const batch[rank + 1] = {extent_of<B>(out)..., 0};
    for (int i = 0; i < rank; ++i) p.batch[i] = batch[i];
    p.out = {out.data, {stride_of<B>(out)...}, stride_of<S>(out), stride_of<E>(out)};
  }(Batch{});
  p.rows = extent_of<S>(out);
  p.keys = extent_of<T>(r.key);
  p.depth = extent_of<D>(r.query);
  p.width = extent_of<E>(out);
  p.query = matrix_of<S, D>(r.query, Batch{});
  p.key = matrix_of<T, D>(r.key, Batch{});
  p.value = matrix_of<T, E>(r.value, Batch{});
  p.scale = r.scale.value;
  p.output_scale = r.output_scale.value;
  kernels::cpu::attention_results<typename written_type<decltype(r.also.weights)>::type, typename written_type<decltype(r.also.sums)>::type, rank> const also{
      further_matrix<S, T>(r.also.weights, Batch{}), further_matrix<S, void>(r.also.sums, Batch{}), r.also.weights_scale};
  using Axes = concat_t<Batch, types<S, T>>;
  auto const score = lower(r.score, Axes{});
  auto const weighing = lower(r.weighing, Axes{});
  if constexpr (std::is_same_v<decltype(r.gain), nothing>) return f(p, score, weighing, nothing{}, also);
  else return f(p, score, weighing, lower(r.gain, Axes{}), also);
}
template <class... X, class Out, class... A>
void launch(host_machine, attention<X...> const& r, tensor_view<Out, struct host, A...> const& out) {
  with_attention(r, out, [](auto const& p, auto const& score, auto const& weighing, auto const& gain, auto const& also) {
    using Empty = typename attention<X...>::empty;
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(gain)>, nothing>) kernels::cpu::attention<Empty>(p, score, weighing, kernels::cpu::no_gain{}, also);
    else kernels::cpu::attention<Empty>(p, score, weighing, gain, also);
  });
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail
