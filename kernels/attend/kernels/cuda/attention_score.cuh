// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The functors of scores and of weights on a thread's part of a tile, and which tiles of keys they keep.
#pragma once
#include <attend/kernels/classify.hpp>
#include <attend/kernels/cuda/number.hpp>
#include <attend/kernels/cuda/ptx.cuh>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// One score's place: axes 0 ... B - 1 the batch, B the row, B + 1 the key. Where row or key are not there, the last one's
/// elements are loaded.
template <int B>
struct score_place {
  long const* batch;
  int rows, keys;
  position row, key;

  template <class N, int P>
  __device__ auto index() const {
    if constexpr (P < B) return batch[P];
    else return P == B ? row : key;
  }
  template <class N, class T, int... P>
  __device__ auto load(element<T, P...> const& e) const { return typed<N>(e.data[offset<P...>(e.stride)]); }
  template <class N, class T, class Ids, int... P, class Id>
  __device__ auto load(lookup<T, Ids, P...> const& e, Id id) const {
    return typed<N>(e.data[static_cast<long>(id) * e.id_stride + offset<P...>(e.stride)]);
  }

private:
  template <int P>
  __device__ long at() const {
    if constexpr (P < B) return batch[P];
    else if constexpr (P == B) return row.at < rows ? row.at : rows - 1;
    else return key.at < keys ? key.at : keys - 1;
  }
  template <int... P>
  __device__ long offset([[maybe_unused]] long const* stride) const {
    [[maybe_unused]] int i = 0;
    long sum = 0;
    ((sum += stride[i++] * at<P>()), ...);
    return sum;
  }
  template <class N, class T>
  __device__ static auto typed(T const& x) {
    if constexpr (std::is_same_v<T, bool>) return x;
    else if constexpr (whole<T>) return static_cast<long>(x);
    else return N{load_number<float>(x)};
  }
};

/// A batch axis along which a tile has all positions, 0 to last; none: -1.
struct packed_axis {
  int axis = -1, last = 0;
};

/// Some rows and some keys, both ends included: what interval arithmetic is asked of. It looks at the elements along the
/// rows, along the keys or along a packed axis; a table of two of them is anything.
template <int B>
struct tile_place {
  long const* batch;
  packed_axis packed;
  int first_row, last_row, first_key, last_key;

  template <class N, int P>
  __device__ whole_interval index() const {
    if constexpr (P < B) return P == packed.axis ? whole_interval{0, packed.last} : whole_interval{batch[P]};
    else if constexpr (P == B) return {first_row, last_row};
    else return {first_key, last_key};
  }
  template <class N, class T, int... P>
  __device__ auto load(element<T, P...> const& e) const { return bounds<T, P...>(e.data, e.stride); }
  template <class N, class T, class Ids, int... P>
  __device__ auto load(lookup<T, Ids, P...> const& e, whole_interval id) const {
    return id.lo == id.hi ? bounds<T, P...>(e.data + id.lo * e.id_stride, e.stride) : anything<T>();
  }

private:
  template <class T>
  __device__ static auto anything() {
    if constexpr (std::is_same_v<T, bool>) return truth(true, true);
    else if constexpr (whole<T>) return whole_interval::everything();
    else return interval{-kernels::detail::infinite, kernels::detail::infinite, true, truth(true, true)};
  }
  template <class T, int... P>
  __device__ auto bounds(T const* data, [[maybe_unused]] long const* stride) const -> decltype(anything<T>()) {
    long of_row = 0, of_key = 0, of_packed = 0;
    [[maybe_unused]] auto const along = [&](int axis, long by) {
      if (axis < B && axis == packed.axis) of_packed += by;
      else if (axis < B) data += by * batch[axis];
      else (axis == B ? of_row : of_key) += by;
    };
    [[maybe_unused]] int i = 0;
    (along(P, stride[i++]), ...);
    if ((of_row != 0) + (of_key != 0) + (of_packed != 0) > 1) return anything<T>();
    data += of_row * first_row + of_key * first_key;
    kernels::detail::extremes<T> seen;
    if (of_row != 0) seen.take_row(data, last_row - first_row + 1, of_row);
    else if (of_packed != 0) seen.take_row(data, packed.last + 1, of_packed);
    else seen.take_row(data, of_key != 0 ? last_key - first_key + 1 : 1, of_key);
    return seen.result();
  }
};

/// As kernels::classify does it.
template <class Score, int B>
__device__ tile kept_of(Score const& score, tile_place<B> const& at) {
  interval const any{-kernels::detail::infinite, kernels::detail::infinite, true};
  interval const x = kernels::detail::as_number<interval>(value<interval>(score, at, any));
  if (x.kept.never() || (x.hi == -kernels::detail::infinite && !x.nan)) return tile::none;
  return x.kept.surely() ? tile::all : tile::some;
}

/// Whether a functor plainly keeps all.
template <class F>
inline constexpr bool keeps_all = false;
template <int I>
inline constexpr bool keeps_all<argument<I>> = true;

/// The tiles of keys that some row of a block may keep, in turn. Each warp asks for 32 tiles at a time, a lane for one.
template <int Keys, class Score, int B>
class kept_tiles {
public:
  struct kept {
    int first_key;
    bool masked; ///< not every row keeps every key, or fewer than Keys are left
  };

  __device__ kept_tiles(Score const& score, long const* batch, int first_row, int last_row, int keys, packed_axis packed = {})
      : score_(score), batch_(batch), packed_(packed), first_row_(first_row), last_row_(last_row), keys_(keys) {}

  __device__ bool next(kept& tile) {
    if constexpr (keeps_all<Score>) {
      if (group_ >= keys_) return false;
      tile = {group_, group_ + Keys > keys_};
      group_ += Keys;
    } else {
      while (some_ == 0) {
        if (group_ >= keys_) return false;
        look();
      }
      int const bit = ptx::lowest_bit(some_);
      tile = {group_ - (ptx::warp_size - bit) * Keys, (all_ >> bit & 1) == 0};
      some_ &= some_ - 1;
    }
    return true;
  }

private:
  __device__ void look() {
    int const first = group_ + ptx::thread_index() % ptx::warp_size * Keys;
    tile found = tile::none;
    if (first < keys_) {
      int const end = first + Keys < keys_ ? first + Keys : keys_;
      found = kept_of(score_, tile_place<B>{batch_, packed_, first_row_, last_row_, first, end - 1});
      if (!has_mask<Score> && found == tile::some) found = tile::all; // the functor is the same for both
      if (found == tile::all && first + Keys > keys_) found = tile::some;
    }
    some_ = ptx::ballot(found != tile::none);
    all_ = ptx::ballot(found == tile::all);
    group_ += ptx::warp_size * Keys;
  }

  Score const& score_;
  long const* batch_;
  packed_axis packed_;
  int first_row_, last_row_, keys_;
  int group_ = 0; // the first key not looked at
  std::uint32_t some_ = 0, all_ = 0;
};

/// The functor with products for divisions by constants, ten times as fast and within a rounding of them; conditions stay.
template <class F>
F by_products(F const& f) { return f; }
template <class X>
auto by_products(apply<op::div, X, constant> const& f);
template <class Op, class... X>
auto by_products(apply<Op, X...> const& f);

template <class X>
auto by_products(apply<op::div, X, constant> const& f) {
  return kernels::detail::make_apply(op::mul{}, by_products(static_cast<attend::detail::slot<0, X> const&>(f.x).value),
                                     constant{1 / static_cast<attend::detail::slot<1, constant> const&>(f.x).value.value});
}
template <class Op, class... X>
auto by_products(apply<Op, X...> const& f) {
  if constexpr (kernels::detail::is_condition<Op>) return f;
  else
    return [&]<int... I>(std::integer_sequence<int, I...>) {
      return kernels::detail::make_apply(Op{}, by_products(static_cast<attend::detail::slot<I, X> const&>(f.x).value)...);
    }(std::make_integer_sequence<int, sizeof...(X)>{});
}

/// The rows and keys that a thread holds of a tile of scores: block (r, j) of what products leave.
template <int B>
struct thread_share {
  long const* batch;
  position first_row, first_key; ///< of this thread
  int rows, keys;                ///< of all

  __device__ thread_share(long const* batch, int first_row_of_warp, int rows, int first_key_of_tile, int keys)
      : batch(batch), first_row(position::of(first_row_of_warp + ptx::thread_index() % ptx::warp_size / 4)),
        first_key(position::of(first_key_of_tile + 2 * (ptx::thread_index() % 4))), rows(rows), keys(keys) {}
  __device__ position row(int r, int half) const { return first_row.further(16 * r + 8 * half); }
  __device__ position key(int j, int e) const { return first_key.further(8 * j + e); }
  __device__ long const* batch_of(int, int) const { return batch; }
};
/// Where one score of a share stands.
template <int B, template <int> class Share>
__device__ score_place<B> place_of(Share<B> const& mine, int r, int half, position key) {
  return {mine.batch_of(r, half), mine.rows, mine.keys, mine.row(r, half), key};
}

/// numbers = f(before * numbers). Where Masked, keys that are not there get minus infinity.
template <bool Masked, class F, class Share, int RowBlocks, int KeyBlocks>
__device__ void evaluate(F const& f, float before, Share const& mine, float (&numbers)[RowBlocks][KeyBlocks][4]) {
#pragma unroll
  for (int j = 0; j < KeyBlocks; ++j)
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      position const key = mine.key(j, e);
      bool const there = !Masked || key.at < mine.keys;
#pragma unroll
      for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float& x = numbers[r][j][2 * half + e];
          real const y = kernels::detail::as_number<real>(value<real>(f, place_of(mine, r, half, key), real{x * before}));
          x = there ? y.x : -__builtin_inff();
        }
    }
}

/// The same for what is known of the tile: a mask that keeps all of it is not computed, plain scores stay as they are.
/// Where only_masks, scores are not multiplied by anything.
template <class Score, class Share, int RowBlocks, int KeyBlocks>
__device__ void apply_score(Score const& score, bool masked, float before, Share const& mine, float (&scores)[RowBlocks][KeyBlocks][4]) {
  if constexpr (only_masks<Score>) before = 1;
  if (masked) detail::evaluate<true>(score, before, mine, scores);
  else {
    auto const without = unmasked(score);
    if constexpr (!std::is_same_v<decltype(without), argument<0> const>) detail::evaluate<false>(without, before, mine, scores);
  }
}

/// weights = weighing(weights).
template <class Weighing, class Share, int RowBlocks, int KeyBlocks>
__device__ void apply_weighing(Weighing const& weighing, Share const& mine, float (&weights)[RowBlocks][KeyBlocks][4]) {
  if constexpr (!std::is_same_v<Weighing, argument<0>>) detail::evaluate<false>(weighing, 1, mine, weights);
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
