// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A functor's place `at` for vectors: lanes run along one axis, every other axis is at one position.
#pragma once
#include <attend/kernels/cpu/simd_number.hpp>
#include <attend/kernels/functor.hpp>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {

namespace detail {
/// `lanes` elements at a stride of any size, one by one; zeros from lane n on, where nothing is read.
template <class T>
[[gnu::noinline]] vec gather(T const* p, long stride, int n) {
  alignas(64) float x[lanes] = {};
  for (int i = 0; i < n; ++i) x[i] = load_number<float>(p[i * stride]);
  return load(x);
}
template <whole T>
lane_integer load_whole(T const* p) {
  if constexpr (sizeof(T) == 8) return {load_raw<machine::longs>(p), load_raw<machine::longs>(p + lanes / 2)};
  else {
    auto const x = load_raw<machine::ints>(p);
    return {machine::low(x), machine::high(x)};
  }
}
template <whole T>
[[gnu::noinline]] lane_integer gather_whole(T const* p, long stride, int n) {
  lane_integer x(0l);
  for (int i = 0; i < n; ++i) x.set(i, static_cast<long>(p[i * stride]));
  return x;
}
[[gnu::noinline]] inline mask gather_bool(bool const* p, long stride, int n) {
  machine::ints x{};
  for (int i = 0; i < n; ++i) x[i] = p[i * stride] ? -1 : 0;
  return x;
}
} // namespace detail

/// n <= lanes elements at p, p + stride, ...: a vec of floats, a lane_integer of whole numbers, a mask of bools.
/// Nothing but those n is read.
template <class T>
inline auto load_lanes(T const* p, long stride, int n) {
  if constexpr (std::is_same_v<T, bool>) {
    if (stride == 0) return mask(*p);
    if (stride == 1 && n == lanes) return mask(machine::load_bools(p));
    return detail::gather_bool(p, stride, n);
  } else if constexpr (whole<T>) {
    if (stride == 0) return lane_integer(static_cast<long>(*p));
    if (stride == 1 && n == lanes) return detail::load_whole(p);
    return detail::gather_whole(p, stride, n);
  } else {
    if (stride == 0) return vec(load_number<float>(*p));
    if constexpr (std::is_same_v<T, double>) return detail::gather(p, stride, n);
    else {
      if (stride == 1) return n == lanes ? load(p) : load(p, n);
      return detail::gather(p, stride, n);
    }
  }
}

/// Lane i stands at position at[Lane] + i along axis Lane and at at[P] along every other axis P of R.
/// Only the first `count` lanes may be read, from 1 to `lanes`; the others hold anything.
template <int Lane, int R>
struct lane_axis {
  long at[R > 0 ? R : 1];
  int count = lanes;

  template <class N, int P>
  auto index() const {
    if constexpr (P == Lane) return lane_index(at[P], 1);
    else return at[P];
  }
  template <class N, class T, int... P>
  auto load(element<T, P...> const& e) const {
    T const* const p = e.data + offset<P...>(e.stride);
    if constexpr (((P == Lane) || ...)) return load_lanes(p, lane_stride<P...>(e.stride), count);
    else return uniform(*p);
  }
  template <class N, class T, class Ids, int... P, class Id>
  auto load(lookup<T, Ids, P...> const& e, Id const& id) const {
    T const* const p = e.data + offset<P...>(e.stride);
    if constexpr (std::is_same_v<Id, long>) {
      if constexpr (((P == Lane) || ...)) return load_lanes(p + id * e.id_stride, lane_stride<P...>(e.stride), count);
      else return uniform(p[id * e.id_stride]);
    } else {
      long const step = lane_stride<P...>(e.stride);
      if constexpr (std::is_same_v<T, bool>) {
        machine::ints x{};
        for (int i = 0; i < count; ++i) x[i] = p[id[i] * e.id_stride + i * step] ? -1 : 0;
        return mask(x);
      } else if constexpr (whole<T>) {
        lane_integer x(0l);
        for (int i = 0; i < count; ++i) x.set(i, static_cast<long>(p[id[i] * e.id_stride + i * step]));
        return x;
      } else {
        vec x(0.0f);
        for (int i = 0; i < count; ++i) x.raw[i] = load_number<float>(p[id[i] * e.id_stride + i * step]);
        return x;
      }
    }
  }

private:
  template <int... P>
  long offset([[maybe_unused]] long const* stride) const {
    long sum = 0;
    [[maybe_unused]] int i = 0;
    ((sum += stride[i++] * at[P]), ...);
    return sum;
  }
  template <int... P>
  static long lane_stride([[maybe_unused]] long const* stride) {
    long sum = 0;
    [[maybe_unused]] int i = 0;
    ((sum += P == Lane ? stride[i] : 0, ++i), ...);
    return sum;
  }
  template <class T>
  static auto uniform(T const& x) {
    if constexpr (std::is_same_v<T, bool>) return x;
    else if constexpr (whole<T>) return static_cast<long>(x);
    else return vec(load_number<float>(x));
  }
};

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
