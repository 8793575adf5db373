// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launch on a CUDA device: the same overload set as on the host, one a region.
#pragma once
#include <attend/codegen/cuda_machine.cuh>
#include <attend/codegen/run.hpp>
#include <attend/kernels/cuda/attention.cuh>
#include <attend/kernels/cuda/map.cuh>
#include <attend/kernels/cuda/matrix_product.cuh>
#include <attend/kernels/cuda/rows.cuh>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail {

// ---- 6: a pass over the elements of the result
template <class X, class T, class... A>
void launch(cuda_machine const& on, pass<X> const& r, tensor_view<T, struct cuda, A...> const& out) {
  using Axes = typename shape<A...>::dims;
  check(kernels::cuda::map<number_for<X>>(on.stream, strided_by(out, Axes{}), lower(r.x, Axes{})), "an elementwise pass");
}
/// A result that was computed aside, to where it belongs.
template <class T, class... A>
void move_to(cuda_machine const& on, tensor_view<T, struct cuda, A...> const& out, tensor_view<T, struct cuda, A...> const& aside) {
  launch(on, pass<tensor_view<T const, struct cuda, A...>>{aside.readable()}, out);
}

// ---- 3, 4: rows
template <class Last, class Inner, bool Each, class... S, class T, class... A>
void launch(cuda_machine const& on, rows<Last, Inner, Each, S...> const& r, tensor_view<T, struct cuda, A...> const& out) {
  using Outer = minus_t<typename shape<A...>::dims, Inner>;
  using Axes = concat_t<Outer, Inner>;
  using N = number_for<Last, decltype(S::x)...>;
  using Out = std::conditional_t<Each, Axes, Outer>;
  run_time_extents<rows<Last, Inner, Each, S...>, tensor_view<T, struct cuda, A...>> const n{r, out};
  with_functors<kernels::cuda::stage, Axes>(r, [&](auto const& last, auto const&... stages) {
    [&]<class... D>(types<D...>) {
      long const inner[] = {n.template of<D>()...};
      check(kernels::cuda::rows<N, Each, Outer::size, Inner::size>(on.stream, strided_by(out, Out{}), inner, last, stages...),
            rows<Last, Inner, Each, S...>::name);
    }(Inner{});
  });
}

// ---- 2: a product with its epilogue, by the matrix library; what it leaves of the epilogue is a pass over the result, and
// what it does not take is a reduction
template <class Act, class Sum>
auto activated(Sum const& x) {
  if constexpr (std::is_void_v<Act>) return x;
  else return elementwise_of<Act>(x);
}
template <class Sum, class Other>
auto added(Sum const& x, Other const& y) {
  if constexpr (std::is_same_v<Other, nothing>) return x;
  else return elementwise_of<op::add>(x, y);
}
/// residual + activation(scale * sum over dims of x y + bias), the products summed along rows.
template <class X, class Y, class Dims, class Act, class B, class R>
auto as_rows(product<X, Y, Dims, Act, B, R> const& r) {
  using sum_type = placeholder<0, accumulate_t<typename product<X, Y, Dims, Act, B, R>::value_type>>;
  elementwise<op::mul, sum_type, scalar<double>> const scaled{{}, {{sum_type{}}, {r.scale}}};
  auto const last = added(activated<Act>(added(scaled, r.bias)), r.residual);
  using Terms = elementwise<op::mul, X, Y>;
  using Stage = stage<op::add, Terms>;
  Stage const one{Terms{{}, {{r.x}, {r.y}}}};
  return rows<std::remove_cv_t<decltype(last)>, Dims, false, Stage>{{{one}}, last};
}
/// How the matrix library does a product: not at all, and nothing is written; all of it; or all but the epilogue.
enum class by_library { none, all, sums };
/// Starts a product there; where its result cannot hold sums (Rounds), only if it does all of it.
[[gnu::cold, gnu::noinline]] inline by_library multiply(cuda_machine const& on, kernels::contraction::problem const& p, bool rounds) {
  kernels::cuda::matrix_product g;
  if (!kernels::cuda::as_matrix_product(p, g) || (rounds && !g.finished)) return by_library::none;
  auto const status = kernels::cuda::multiply(on.stream, g);
  if (status.is == status.failed) throw cuda_error(std::string(status.call) + " failed: " + status.why);
  return status.is == status.not_taken ? by_library::none : g.finished ? by_library::all : by_library::sums;
}
/// The epilogue but its scale, of sums that are there.
template <class X, class Y, class Dims, class Act, class B, class R, class Sums, class T, class... A>
void finish(cuda_machine const& on, product<X, Y, Dims, Act, B, R> const& r, Sums const& sums, tensor_view<T, struct cuda, A...> const& out) {
  auto const rest = added(activated<Act>(added(sums, r.bias)), r.residual);
  launch(on, pass<std::remove_cv_t<decltype(rest)>>{rest}, out);
}
template <class X, class Y, class Dims, class Act, class B, class R, class T, class... A>
void launch(cuda_machine const& on, product<X, Y, Dims, Act, B, R> const& r, tensor_view<T, struct cuda, A...> const& out) {
  constexpr bool plain = std::is_void_v<Act> && std::is_same_v<B, nothing> && std::is_same_v<R, nothing>;
  if constexpr (matrix_type<T>) {
    auto const done = multiply(on, problem_of(r, out), half_precision<T>);
    if (done == by_library::all) return;
    if constexpr (!plain) {
      if (done == by_library::sums) return finish(on, r, out.readable(), out);
      if (half_precision<T> && !on.only_workspace) { // sums in f32, rounded once
        auto const memory = on.template aside<float>(out.size());
        tensor_view<float, struct cuda, A...> sums{{}, memory.get(), {}, {}};
        for (int i = 0; i < out.rank; ++i) sums.extents[i] = out.extents[i];
        attend::detail::row_major(sums);
        product<X, Y, Dims, void, nothing, nothing> const bare{r.x, r.y, {}, {}, r.scale};
        if (multiply(on, problem_of(bare, sums), true) == by_library::all) return finish(on, r, sums.readable(), out);
      }
    }
  }
  launch(on, as_rows(r), out);
}

// ---- 1: fused attention
template <int... N>
constexpr long largest_of(std::integer_sequence<int, N...>) {
  long n = 0;
  ((n = n < N ? N : n), ...);
  return n;
}
/// Of the head dims that have kernels, those that extents known to the compiler leave: where both are known, one.
/// (Of functions that deduce the lists g++ 12 may crash, in a way that depends on where the files lie.)
template <long Depth, long Width, class Kept, class Left>
struct head_dims_left {
  using type = Kept;
};
template <long Depth, long Width, int... Kept, int Next, int... Rest>
struct head_dims_left<Depth, Width, std::integer_sequence<int, Kept...>, std::integer_sequence<int, Next, Rest...>> {
  static constexpr bool too_small = Next < (Depth > Width ? Depth : Width) && sizeof...(Rest) > 0, one = Depth >= 0 && Width >= 0;
  using kept = std::conditional_t<too_small, std::integer_sequence<int, Kept...>, std::integer_sequence<int, Kept..., Next>>;
  using left = std::conditional_t<one && !too_small, std::integer_sequence<int>, std::integer_sequence<int, Rest...>>;
  using type = typename head_dims_left<Depth, Width, kept, left>::type;
};
/// The static extent of D, 1 where there is no such dim.
template <class D, class... X>
inline constexpr long known_extent = std::is_void_v<D> ? 1 : static_extent<D>(types<X...>{});
template <class... X>
inline constexpr long known_extent<void, X...> = 1;

template <class... X, class Out, class... A>
void launch(cuda_machine const& on, attention<X...> const& r, tensor_view<Out, struct cuda, A...> const& out) {
  with_attention(r, out, [&](auto const& p, auto const& score, auto const& weighing, auto const& gain, auto const& also) {
    using R = attention<X...>;
    using Empty = typename R::empty;
    using HeadDims = typename head_dims_left<known_extent<typename R::depth, decltype(R::query), decltype(R::key)>, known_extent<typename R::width, decltype(R::value)>, std::integer_sequence<int>, kernels::cuda::attention_head_dims>::type;
    cudaError_t status;
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(gain)>, nothing>) status = kernels::cuda::attention<Empty>(on.stream, p, score, weighing, kernels::cuda::no_gain{}, also, HeadDims{});
    else status = kernels::cuda::attention<Empty>(on.stream, p, score, weighing, gain, also, HeadDims{});
    check(status, R::name);
  });
}

template <class R, class Out>
bool taken_itself(R const&, Out const&) {
  return true;
}
template <class... X, class Out>
bool taken_itself(attention<X...> const& r, Out const& out) {
  using R = attention<X...>;
  constexpr long most = largest_of(kernels::cuda::attention_head_dims{});
  return extent_of<typename R::depth>(r.query) <= most && extent_of<typename R::width>(out) <= most &&
         extent_of<typename R::row>(out) < kernels::cuda::most_positions && extent_of<typename R::column>(r.key) < kernels::cuda::most_positions;
}
/// Whether the kernels take a region and those of its buffers: the fused one has a largest head dim, and a most rows and
/// keys.
template <class R, class Out>
bool taken(cuda_machine const& on, R& region, Out const& out) {
  bool all = true;
  each_buffer(region, [&](auto& b) { all = all && taken(on, b.x, b.whole()); });
  return all && taken_itself(region, out);
}
[[noreturn, gnu::cold, gnu::noinline]] inline void not_taken(cuda_machine const&) {
  throw argument_error("attention with several results on a CUDA device requires head dims of at most 256 and fewer than 2^24 rows and keys");
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail
