// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a score functor keeps of a tile: nothing, everything, or some of it - by interval arithmetic, for any functor,
// without a mask stored anywhere.
#pragma once
#include <attend/kernels/functor.hpp>
#include <attend/kernels/interval.hpp>
#include <cstring>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes"
#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 20011, 20013, 20014
#endif

namespace attend::kernels::inline ATTEND_DETAIL_ISA {

/// What is kept of a tile.
enum class tile { none, some, all };

namespace detail {

/// Least and largest of what was looked at.
template <class T>
struct extremes {
  using number = std::conditional_t<whole<T>, long, double>;
  bool some = false, nan = false, minus_infinity = false, other = false;
  number lo{}, hi{};

  __attribute__((host, device)) void take(T const& element) {
    number x;
    if constexpr (whole<T>) x = static_cast<long>(element);
    else {
      x = load_number<double>(element);
      if (x != x) {
        nan = other = true;
        return;
      }
      (x == -infinite ? minus_infinity : other) = true;
    }
    lo = some && lo < x ? lo : x;
    hi = some && hi > x ? hi : x;
    some = true;
  }
  __attribute__((host, device)) void take_row(T const* p, long n, long stride) {
    if constexpr (whole<T>)
      if (stride == 1 && n > 0) { // in their own type and without a branch, many at a time
        T least = p[0], most = p[0];
        for (long i = 1; i < n; ++i) least = p[i] < least ? p[i] : least, most = p[i] > most ? p[i] : most;
        take(least), take(most);
        return;
      }
    for (long i = 0; i < n; ++i) take(p[i * stride]);
  }
  __attribute__((host, device)) bool decided() const { return false; }
  __attribute__((host, device)) auto result() const {
    if constexpr (whole<T>) return whole_interval{lo, hi};
    else if (!some) return interval{-infinite, infinite, true, true};
    else return interval{lo, hi, nan, truth(minus_infinity, other)};
  }
};
template <>
struct extremes<bool> {
  truth seen{false, false};

  __attribute__((host, device)) void take_row(bool const* p, long n, long stride) {
    long i = 0;
    if (stride == 1)
      for (; i + 8 <= n; i += 8) {
        std::uint64_t word;
        memcpy(&word, p + i, 8);
        seen.can_be_true |= word != 0;
        seen.can_be_false |= word != 0x0101010101010101u;
      }
    for (; i < n; ++i) (p[i * stride] ? seen.can_be_true : seen.can_be_false) = true;
  }
  __attribute__((host, device)) bool decided() const { return seen.can_be_true && seen.can_be_false; }
  __attribute__((host, device)) truth result() const { return seen; }
};

/// Whole numbers and bools are looked at up to this many a tile; floats, which are rarely masks, up to the second.
inline constexpr long most_looked_at = 1l << 14, most_floats_looked_at = 1l << 8;

} // namespace detail

/// A box of positions as a functor's place: axis P runs from first[P] to last[P], both included.
template <int R>
struct box {
  long first[R > 0 ? R : 1];
  long last[R > 0 ? R : 1];

  template <class N, int P>
  __attribute__((host, device)) whole_interval index() const { return {first[P], last[P]}; }

  /// The least and the largest element in the box: looked at one by one, or anything if there are too many.
  template <class N, class T, int... P>
  __attribute__((host, device)) auto load(element<T, P...> const& e) const {
    return bounds<T, P...>(e.data, e.stride, whole_interval(0), 0);
  }
  template <class N, class T, class Ids, int... P>
  __attribute__((host, device)) auto load(lookup<T, Ids, P...> const& e, whole_interval id) const {
    return bounds<T, P...>(e.data, e.stride, id, e.id_stride);
  }

private:
  template <class T>
  __attribute__((host, device)) static auto anything() {
    if constexpr (std::is_same_v<T, bool>) return truth(true, true);
    else if constexpr (whole<T>) return whole_interval::everything();
    else return interval{-detail::infinite, detail::infinite, true, truth(true, true)};
  }
  // The axes an element depends on, those of stride 0 left out, the id among them; the shortest stride innermost.
  template <class T, int... P>
  __attribute__((host, device)) auto bounds(T const* data, [[maybe_unused]] long const* stride, whole_interval id,
                                            long id_stride) const -> decltype(anything<T>()) {
    constexpr int axes = sizeof...(P) + 1;
    constexpr long most = floating<T> ? detail::most_floats_looked_at : detail::most_looked_at;
    long extent[axes] = {}, step[axes] = {}, count = 1;
    int used = 0;
    auto const axis = [&](long from, long to, long by) {
      if (to - from < 0 || to - from >= most) return false;
      data += from * by;
      if (by == 0 || to == from) return true;
      int at = used++;
      for (; at > 0 && magnitude(step[at - 1]) < magnitude(by); --at) extent[at] = extent[at - 1], step[at] = step[at - 1];
      extent[at] = to - from + 1, step[at] = by;
      count *= to - from + 1;
      return count <= most;
    };
    [[maybe_unused]] int i = 0;
    if (!axis(id.lo, id.hi, id_stride) || !(axis(first[P], last[P], stride[i++]) && ...)) return anything<T>();
    if (used == 0) extent[used] = 1, step[used++] = 0;
    long at[axes] = {};
    detail::extremes<T> seen;
    for (;;) {
      seen.take_row(data, extent[used - 1], step[used - 1]);
      if (seen.decided()) break;
      int outer = used - 2;
      for (; outer >= 0; --outer) {
        data += step[outer];
        if (++at[outer] < extent[outer]) break;
        data -= extent[outer] * step[outer];
        at[outer] = 0;
      }
      if (outer < 0) break;
    }
    return seen.result();
  }
  __attribute__((host, device)) static long magnitude(long x) { return x < 0 ? -x : x; }
};

/// What `score` keeps in a box. argument<0> is any number there. Never `none` if something is kept; never `all` if a
/// mask holds anywhere; `some` where that cannot be told.
template <class Score, int R>
__attribute__((host, device)) tile classify(Score const& score, box<R> const& at) {
  interval const any{-detail::infinite, detail::infinite, true};
  interval const x = detail::as_number<interval>(value<interval>(score, at, any));
  if (x.kept.never() || (x.hi == -detail::infinite && !x.nan)) return tile::none;
  return x.kept.surely() ? tile::all : tile::some;
}

/// Whether a functor is zero at every place of a box; false where that cannot be told.
template <class F, int R>
__attribute__((host, device)) bool zero_everywhere(F const& f, box<R> const& at) {
  interval const any{-detail::infinite, detail::infinite, true};
  interval const x = detail::as_number<interval>(value<interval>(f, at, any));
  return x.lo == 0 && x.hi == 0 && !x.nan;
}

namespace detail {
template <class F>
struct masks : std::false_type {};
template <class Op, class... X>
struct masks<apply<Op, X...>> : std::bool_constant<std::is_same_v<Op, op::masked> || (masks<X>::value || ...)> {};
} // namespace detail

/// Whether a functor has a mask in it.
template <class F>
inline constexpr bool has_mask = detail::masks<std::remove_const_t<F>>::value;

namespace detail {
template <class F>
struct asks_for_scores : std::false_type {};
template <int I>
struct asks_for_scores<argument<I>> : std::true_type {};
template <class T, class Ids, int... P>
struct asks_for_scores<lookup<T, Ids, P...>> : asks_for_scores<Ids> {};
template <class Op, class... X>
struct asks_for_scores<apply<Op, X...>> : std::bool_constant<(asks_for_scores<X>::value || ...)> {};

template <class F>
struct only_masks : std::false_type {};
template <>
struct only_masks<argument<0>> : std::true_type {};
template <class C, class X>
struct only_masks<apply<op::masked, C, X>> : std::bool_constant<!asks_for_scores<C>::value && only_masks<X>::value> {};
} // namespace detail

/// Whether a functor keeps a score as it is or leaves it out, by its place alone: then a positive factor may come later.
template <class F>
inline constexpr bool only_masks = detail::only_masks<std::remove_const_t<F>>::value;

/// The functor for tiles of which all is kept: masks taken off the value's own path, conditions left as they are.
template <class F>
__attribute__((host, device)) auto unmasked(F const& f) { return f; }
template <class C, class X>
__attribute__((host, device)) auto unmasked(apply<op::masked, C, X> const& f);
template <class C, class X, class Y>
__attribute__((host, device)) auto unmasked(apply<op::where, C, X, Y> const& f);
template <class Op, class... X>
__attribute__((host, device)) auto unmasked(apply<Op, X...> const& f);

namespace detail {
// Operations whose result forgets whether an operand was kept: bools and whole numbers.
template <class Op>
inline constexpr bool is_condition =
    std::is_same_v<Op, op::less> || std::is_same_v<Op, op::less_equal> || std::is_same_v<Op, op::equal> ||
    std::is_same_v<Op, op::not_equal> || std::is_same_v<Op, op::both> || std::is_same_v<Op, op::either> ||
    std::is_same_v<Op, op::no> || std::is_same_v<Op, op::cast<bool>> || std::is_same_v<Op, op::cast<std::int32_t>> ||
    std::is_same_v<Op, op::cast<std::int64_t>>;
template <class Op, class... X>
__attribute__((host, device)) apply<Op, X...> make_apply(Op, X const&... x) { return {{{x}...}}; }
} // namespace detail

template <class C, class X>
__attribute__((host, device)) auto unmasked(apply<op::masked, C, X> const& f) {
  return unmasked(static_cast<attend::detail::slot<1, X> const&>(f.x).value);
}
template <class C, class X, class Y>
__attribute__((host, device)) auto unmasked(apply<op::where, C, X, Y> const& f) {
  return detail::make_apply(op::where{}, static_cast<attend::detail::slot<0, C> const&>(f.x).value,
                            unmasked(static_cast<attend::detail::slot<1, X> const&>(f.x).value),
                            unmasked(static_cast<attend::detail::slot<2, Y> const&>(f.x).value));
}
template <class Op, class... X>
__attribute__((host, device)) auto unmasked(apply<Op, X...> const& f) {
  if constexpr (detail::is_condition<Op> || !has_mask<apply<Op, X...>>) return f;
  else
    return [&]<int... I>(std::integer_sequence<int, I...>) {
      return detail::make_apply(Op{}, unmasked(static_cast<attend::detail::slot<I, X> const&>(f.x).value)...);
    }(std::make_integer_sequence<int, sizeof...(X)>{});
}

} // namespace attend::kernels::inline ATTEND_DETAIL_ISA

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
#pragma GCC diagnostic pop
