// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sequences of unequal lengths laid end to end along one dimension: which sequence a position belongs to, and where in it
// it stands, as expressions. Attention within sequences is a mask of them; tiles between sequences are skipped.
#pragma once
#include <attend/masks.hpp>
#include <attend/reductions.hpp>

namespace attend {
namespace detail {

template <class T, class O>
constexpr auto offsets_rule() {
  if constexpr (broken<O>) return ill_formed{};
  else if constexpr (O::shape::dims::size != 1 || !whole<typename O::value_type>) return violation<rule::offsets_are_one_list<dims_shown_x<O>, type_of_x<typename O::value_type>>>{};
  else return fine{};
}
template <class T, class O, class F>
constexpr auto from_offsets(O const& offsets, F f) {
  if constexpr (!std::is_same_v<decltype(offsets_rule<T, O>()), fine>) return reported(offsets_rule<T, O>());
  else return f(offsets, element_of_t<typename O::shape::dims, 0>{});
}

} // namespace detail

/// The number, from 1 on, of the sequence that each position of t belongs to. offsets (one dim, int32 or int64, rising)
/// holds where each sequence begins and where the last ends.
template <dimension T, expression O>
constexpr auto sequence_of(T t, O&& offsets) {
  return detail::from_offsets<T>(detail::lift(static_cast<O&&>(offsets)), [&](auto const& o, auto list) { return sum(where(index(t) >= o, 1, 0), list); });
}
/// The position of each position of t within its sequence, from 0 on.
template <dimension T, expression O>
constexpr auto position_in_sequence(T t, O&& offsets) {
  return detail::from_offsets<T>(detail::lift(static_cast<O&&>(offsets)), [&](auto const& o, auto list) { return index(t) - max(where(index(t) >= o, o, 0), list); });
}
/// Keys of the query's own sequence, queries and keys being laid end to end alike: keep(same_sequence(s, t, offsets)).
template <dimension S, dimension T, expression O>
constexpr auto same_sequence(S s, T t, O const& offsets) {
  return same_document(sequence_of(s, offsets), sequence_of(t, offsets));
}
/// The same where keys have offsets of their own: few new queries of each sequence against its longer cache.
template <dimension S, dimension T, expression O, expression P>
constexpr auto same_sequence(S s, T t, O const& query_offsets, P const& key_offsets) {
  return same_document(sequence_of(s, query_offsets), sequence_of(t, key_offsets));
}

} // namespace attend
