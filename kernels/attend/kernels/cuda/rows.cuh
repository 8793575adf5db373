// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reduce-then-map on a device, in one kernel without memory of its own: stages, each a reduction over the inner axes that
// knows the results of those before it, then a last functor over the outer axes (a reduction) or over all of them (a
// normalisation). A row belongs to `width` threads of one block, which are neighbours where rows lie in one piece, or
// lie across them where neighbouring rows do.
//
// Sums in f32 of n terms differ from the exact sum of the same terms by at most
//   (64 + n / (64 width) + 1 + log2 width) * 2^-24 * sum |terms|, to first order;
// in f64 likewise with 2^-53. Whole numbers are summed in 64 bits. Max and min hand on NaN. The order of all operations is
// fixed by extents and strides.
#pragma once
#include <attend/kernels/cuda/map.hpp>
#include <attend/kernels/cuda/ptx.cuh>
#include <bit>

namespace attend::kernels::cuda {

/// A reduction by Op - op::add, op::max or op::min - of F, a functor over outer and inner axes; its argument<i> is the
/// result of the i-th stage before it.
template <class Op, class F>
struct stage {
  F f;
};

inline namespace ATTEND_DETAIL_ISA {

/// How rows are shared out; powers of two.
struct rows_tuning {
  int width;         ///< threads a row
  int rows_a_block;
  bool side_by_side; ///< neighbouring threads have neighbouring rows, not neighbouring elements of one

  static constexpr int threads = 256;        ///< of a block, usually
  static constexpr int most_threads = 1024;  ///< where rows are few and long
  static constexpr long long_row = 16384, few_rows = 512;

  static rows_tuning of(long rows, long inner, bool side_by_side) {
    bool const few_long = inner >= long_row && rows <= few_rows;
    if (side_by_side) {
      int const width = inner <= 16 ? 1 : few_long ? 32 : 8;
      return {width, (few_long ? most_threads : threads) / width, true};
    }
    int const width = inner <= 32     ? static_cast<int>(std::bit_ceil(static_cast<unsigned long>(inner > 0 ? inner : 1)))
                      : inner <= 1024 ? 32
                      : few_long      ? most_threads
                                      : threads;
    return {width, width >= threads ? 1 : threads / width, false};
  }
};

namespace detail {

template <class Stage>
struct stage_types;
template <class Op_, class F_>
struct stage_types<stage<Op_, F_>> {
  using op = Op_;
  using functor = F_;
};

/// What changes nothing under Op.
template <class Op, class A>
__device__ A neutral() {
  using limits = std::numeric_limits<long>;
  constexpr bool is_max = std::is_same_v<Op, op::max>;
  static_assert(is_max || std::is_same_v<Op, op::add> || std::is_same_v<Op, op::min>, "a reduction is op::add, op::max or op::min");
  if constexpr (std::is_same_v<Op, op::add>) return A(0);
  else if constexpr (std::is_same_v<A, long>) return is_max ? limits::lowest() : limits::max();
  else return is_max ? -number<A>::infinity() : number<A>::infinity();
}
/// Op of two results; a NaN stays, sums of whole numbers are modulo 2^64.
template <class Op, class A>
__device__ A combined(A x, A y) {
  if constexpr (std::is_same_v<Op, op::max>) return kernels::max(x, y);
  else if constexpr (std::is_same_v<Op, op::min>) return kernels::min(x, y);
  else if constexpr (std::is_same_v<A, long>) return static_cast<long>(static_cast<unsigned long>(x) + static_cast<unsigned long>(y));
  else return x + y;
}

/// What a kernel is given.
template <class N_, class T, int Outer_, int Inner_, bool Each_, class Final, class... Stages_>
struct rows_call {
  using N = N_;
  static constexpr int Outer = Outer_, Inner = Inner_, axes = Outer + Inner, stages_count = sizeof...(Stages_);
  static constexpr bool Each = Each_;
  strided<T, Each ? axes : Outer> out;
  long extent[axes];
  long rows, inner; ///< how many, and elements of one
  rows_tuning shares;
  Final final;
  attend::detail::pack<Stages_...> stages;

  template <int I>
  __device__ auto const& stage_at() const {
    return stage_of<I>(stages);
  }

private:
  template <int I, class S>
  __device__ static S const& stage_of(attend::detail::slot<I, S> const& s) {
    return s.value;
  }
};

/// A thread's part in its row.
struct row_share {
  int lane;
  std::uint32_t mine, step; ///< its place in shared memory, and how far that of the next lane is
  bool there;               ///< there is such a row
};

/// Op over all lanes of a row.
template <class Op, class A>
__device__ A across(row_share const& share, int width, A sum) {
  if (width == 1) return sum;
  ptx::store_shared(share.mine, sum);
#pragma unroll 1
  for (int half = width / 2; half > 0; half /= 2) {
    ptx::block_barrier();
    if (share.lane < half) {
      sum = combined<Op>(sum, ptx::load_shared<A>(share.mine + static_cast<std::uint32_t>(half) * share.step));
      ptx::store_shared(share.mine, sum);
    }
  }
  ptx::block_barrier();
  A const all = ptx::load_shared<A>(share.mine - static_cast<std::uint32_t>(share.lane) * share.step);
  ptx::block_barrier(); // nobody writes before all have read
  return all;
}

/// From stage I on, given the results of those before.
template <int I, class Call, class... Sums>
__device__ void run_stages(Call const& call, row_share const& share, point<Call::axes>& at, Sums const&... sums) {
  using N = typename Call::N;
  int const width = call.shares.width;
  if constexpr (I == Call::stages_count) {
    if (!share.there) return;
    if constexpr (Call::Each) {
      for (long i = share.lane; i < call.inner; i += width) {
        go_to<Call::Outer, Call::Inner>(at, static_cast<unsigned long>(i), call.extent);
        using T = std::remove_pointer_t<decltype(call.out.data)>;
        *element_at(call.out, at) = store_number<T>(value<N>(call.final, at, sums...));
      }
    } else if (share.lane == 0) {
      using T = std::remove_pointer_t<decltype(call.out.data)>;
      *element_at(call.out, at) = store_number<T>(value<N>(call.final, at, sums...));
    }
  } else {
    auto const& stage = call.template stage_at<I>();
    using Op = typename stage_types<std::remove_cvref_t<decltype(stage)>>::op;
    using V = std::remove_cvref_t<decltype(value<N>(stage.f, at, sums...))>;
    using A = std::conditional_t<std::is_same_v<V, N>, N, long>;
    A sum = neutral<Op, A>();
    if (share.there)
      for (long i = share.lane; i < call.inner;) {
        A part = neutral<Op, A>(); // 64 at a time: the longer a sum, the more it rounds
        for (int k = 0; k < 64 && i < call.inner; ++k, i += width) {
          go_to<Call::Outer, Call::Inner>(at, static_cast<unsigned long>(i), call.extent);
          part = combined<Op>(part, static_cast<A>(value<N>(stage.f, at, sums...)));
        }
        sum = combined<Op>(sum, part);
      }
    run_stages<I + 1>(call, share, at, sums..., across<Op>(share, width, sum));
  }
}

template <class Call>
__global__ void __launch_bounds__(rows_tuning::most_threads) rows_kernel(__grid_constant__ Call const call) {
  int const thread = ptx::thread_index(), width = call.shares.width, rows = call.shares.rows_a_block;
  bool const side_by_side = call.shares.side_by_side;
  int const own = side_by_side ? thread % rows : thread / width;
  long const row = static_cast<long>(ptx::block_index().x) * rows + own;
  row_share const share{side_by_side ? thread / rows : thread % width, ptx::dynamic_shared() + 8 * static_cast<std::uint32_t>(thread),
                        8 * static_cast<std::uint32_t>(side_by_side ? rows : 1), row < call.rows};
  point<Call::axes> at{};
  go_to<0, Call::Outer>(at, static_cast<unsigned long>(row), call.extent);
  run_stages<0>(call, share, at);
}

} // namespace detail

/// Each: out[outer, inner] = f(outer, inner; results of the stages); else out[outer] = f(outer; results). Every stage is
/// reduced over the inner axes of the given extents; axes 0..Outer-1 of the functors are the outer ones. Over no elements
/// a sum is 0, a max minus infinity or the lowest whole number, a min plus infinity or the highest. Floating parts are
/// computed in N, float or double. A normalisation's out may be an operand whose elements it replaces one for one.
template <class N, bool Each, int Outer, int Inner, class T, class Final, class... Stages>
cudaError_t rows(cudaStream_t stream, strided<T, Each ? Outer + Inner : Outer> const& out, long const (&inner)[Inner], Final const& f,
                 Stages const&... stages) {
  using call_type = detail::rows_call<N, T, Outer, Inner, Each, Final, Stages...>;
  call_type call{out, {}, 1, 1, {}, f, {{stages}...}};
  for (int i = 0; i < Outer; ++i) call.extent[i] = out.extent[i];
  for (int i = 0; i < Inner; ++i) call.extent[Outer + i] = inner[i];
  constexpr int last = Outer + Inner - 1;
  passes::survey_of<Each ? Outer + Inner : Outer, Final, typename detail::stage_types<Stages>::functor...> const s(out.stride, f, stages.f...);
  s.join(call.extent, Outer, last, last);
  bool side_by_side = false;
  if constexpr (Outer > 0) {
    s.join(call.extent, 0, Outer - 1, Outer - 1);
    int const first = Each ? 0 : 1; // a reduced result is written too rarely to matter
    side_by_side = s.cost(Outer - 1, call.extent[Outer - 1], ptx::warp_size, first) < s.cost(last, call.extent[last], ptx::warp_size, first);
  }
  for (int i = 0; i < Outer; ++i) call.rows *= call.extent[i];
  for (int i = 0; i < Inner; ++i) call.inner *= call.extent[Outer + i];
  if (call.rows == 0 || (Each && call.inner == 0)) return cudaSuccess;
  call.shares = rows_tuning::of(call.rows, call.inner, side_by_side);
  int const threads = call.shares.width * call.shares.rows_a_block;
  long const blocks = (call.rows + call.shares.rows_a_block - 1) / call.shares.rows_a_block;
  if (blocks > std::numeric_limits<int>::max()) return cudaErrorInvalidValue;
  return ptx::launch({"rows", dim3(static_cast<unsigned>(blocks)), threads, static_cast<std::size_t>(8 * threads), stream},
                     detail::rows_kernel<call_type>, call);
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
