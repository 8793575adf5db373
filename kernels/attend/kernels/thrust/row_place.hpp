// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A functor's place in a pass over rows. Which axis the lanes run along is known at run time only, so that a functor is
// compiled once for rows that lie along memory and for rows that lie across it.
#pragma once
#include <attend/kernels/thrust/lanes.hpp>
#include <attend/kernels/thrust/rows_geometry.hpp>

namespace attend::kernels::passes {
inline namespace ATTEND_DETAIL_ISA {

namespace detail {
/// What is neither together nor one number for all lanes; out of line, since it would stand at every leaf of a functor.
template <class T>
[[gnu::noinline]] auto load_rest(T const* p, long step, int count) {
  return cpu::load_lanes(p, step, count);
}
template <class T>
[[gnu::always_inline]] inline auto load_at(T const* p, long step, int count) {
  if (step == 1 && count == cpu::lanes) [[likely]]
    return cpu::load_lanes(p, 1, cpu::lanes);
  if (step == 0) return cpu::load_lanes(p, 0, cpu::lanes);
  return load_rest(p, step, count);
}
} // namespace detail

/// A place of the numbers L on one line of a block: one element at a time, ...
template <class L, int R>
struct row_place : point<R> {
  int lane;

  row_place(long const* line, int lane) : lane(lane) {
    for (int i = 0; i < R; ++i) this->at[i] = line[i];
  }
  /// Moves along the lanes' axis.
  point<R> const& to(long position, int) {
    this->at[lane] = position;
    return *this;
  }
};

/// ... or as vectors: lane i of `count` stands at position x + i along axis `lane` and at at[P] along every other axis P;
/// at[lane] is 0. What a load gives differs from lane to lane wherever its type can.
template <int R>
struct row_place<cpu::vec, R> {
  long at[R];
  int lane;
  int count = 0;
  long x = 0;

  row_place(long const* line, int lane) : lane(lane) {
    for (int i = 0; i < R; ++i) at[i] = line[i];
  }
  row_place const& to(long position, int n) {
    x = position;
    count = n;
    return *this;
  }

  template <class N, int P>
  auto index() const {
    return P == lane ? cpu::lane_index(x, 1) : cpu::lane_index(at[P], 0);
  }
  template <class N, class T, int... P>
  auto load(element<T, P...> const& e) const {
    auto const [offset, step] = way<P...>(e.stride);
    return detail::load_at(e.data + offset, step, count);
  }
  template <class N, class T, class Ids, int... P, class Id>
  auto load(lookup<T, Ids, P...> const& e, Id const& id) const {
    auto const [offset, step] = way<P...>(e.stride);
    T const* const p = e.data + offset;
    if constexpr (std::is_same_v<Id, long>) return detail::load_at(p + id * e.id_stride, step, count);
    else if (!detail::differs<Ids>::along(lane)) return detail::load_at(p + id[0] * e.id_stride, step, count);
    else if constexpr (std::is_same_v<T, bool>) {
      cpu::machine::ints v{};
      for (int i = 0; i < count; ++i) v[i] = p[id[i] * e.id_stride + i * step] ? -1 : 0;
      return cpu::mask(v);
    } else if constexpr (whole<T>) {
      cpu::lane_integer v(0l);
      for (int i = 0; i < count; ++i) v.set(i, static_cast<long>(p[id[i] * e.id_stride + i * step]));
      return v;
    } else {
      cpu::vec v(0.0f);
      for (int i = 0; i < count; ++i) v.raw[i] = load_number<float>(p[id[i] * e.id_stride + i * step]);
      return v;
    }
  }

private:
  struct walk {
    long offset, step; // of lane 0, and from lane to lane
  };
  template <int... P>
  walk way([[maybe_unused]] long const* stride) const {
    long base = 0, step = 0;
    [[maybe_unused]] int i = 0;
    ((base += stride[i] * at[P], step += P == lane ? stride[i] : 0, ++i), ...);
    return {base + step * x, step};
  }
};

/// Whole vectors along the last axis where every leaf that differs along it lies side by side: what remains of a load is the
/// load. Gives what row_place gives.
template <int R>
struct dense_place {
  static constexpr int lane = R - 1;
  long at[R]; // of lane 0

  explicit dense_place(long const* line) {
    for (int i = 0; i < R; ++i) at[i] = line[i];
  }
  dense_place const& to(long position) {
    at[lane] = position;
    return *this;
  }

  template <class N, int P>
  auto index() const {
    return cpu::lane_index(at[P], P == lane);
  }
  template <class N, class T, int... P>
  auto load(element<T, P...> const& e) const {
    return cpu::load_lanes(e.data + offset<P...>(e.stride), (false || ... || (P == lane)), cpu::lanes);
  }
  template <class N, class T, class Ids, int... P, class Id>
  auto load(lookup<T, Ids, P...> const& e, Id const& id) const {
    long row;
    if constexpr (std::is_same_v<Id, long>) row = id;
    else row = id[0]; // of all lanes: the ids do not differ along the last axis
    return cpu::load_lanes(e.data + row * e.id_stride + offset<P...>(e.stride), (false || ... || (P == lane)), cpu::lanes);
  }

private:
  template <int... P>
  long offset([[maybe_unused]] long const* stride) const {
    long sum = 0;
    [[maybe_unused]] int i = 0;
    ((sum += P == lane ? at[P] : stride[i] * at[P], ++i), ...);
    return sum;
  }
};

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::passes
