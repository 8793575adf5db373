// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dimensions: empty named types, each with an object of the same name, so that an error prints the word the user wrote.
#pragma once
#include <attend/rules.hpp>
#include <boost/hana/div.hpp>
#include <boost/hana/integral_constant.hpp>
#include <boost/hana/minus.hpp>
#include <boost/hana/mod.hpp>
#include <boost/hana/mult.hpp>
#include <boost/hana/plus.hpp>
#include <concepts>
#include <cstddef>
#include <string>

namespace attend {

/// What a dimension does: a batch dim repeats the work, a matrix dim is a row or a column of it.
enum class role { batch, matrix };

/// An extent known at run time only, and one taken from the context (of `index`).
inline constexpr long dynamic = -1, unknown = -2;

/// The literal `64_c`: an extent the compiler knows, a Boost.Hana integral constant with its arithmetic.
namespace literals {
using boost::hana::literals::operator""_c;
}

/// The extent of one dimension: `d = 64_c` is static, `s = length` dynamic.
template <class Dim, long N>
struct extent {
  using dim = Dim;
  static constexpr long size() { return N; }
};
template <class Dim>
struct extent<Dim, dynamic> {
  using dim = Dim;
  long n;
  constexpr long size() const { return n; }
};

namespace detail {
template <std::size_t N>
struct name_text {
  char text[N];
  consteval name_text(char const (&s)[N]) {
    for (std::size_t i = 0; i < N; ++i) text[i] = s[i];
  }
};
struct dim_base {};
// What `s = x` gives where x is no whole number, once it has said so; the tensor made of it says no more.
struct ill_formed_extent {};
template <class D, class T>
constexpr ill_formed_extent no_extent() {
  if constexpr (!std::is_same_v<T, ill_formed_extent>) static_assert(sizeof(rule::whole_extent<dimension_named<D>, argument_given<T>>) > 0);
  return {};
}
} // namespace detail

/// A dimension, declared in one line:
/// `inline constexpr struct seq final : attend::dim<"seq", attend::role::matrix, seq> { using dim::operator=; } seq;`
template <detail::name_text Name, role Role, class Self>
struct dim : detail::dim_base {
  static constexpr role kind = Role;
  static std::string name() { return Name.text; }
  constexpr extent<Self, dynamic> operator=(std::integral auto n) const { return {static_cast<long>(n)}; }
  template <class T, T N>
  constexpr extent<Self, static_cast<long>(N)> operator=(boost::hana::integral_constant<T, N>) const {
    return {};
  }
  template <class T>
  constexpr auto operator=(T) const {
    return detail::no_extent<Self, T>();
  }
};

template <class D>
concept dimension = std::is_base_of_v<detail::dim_base, D>;

/// The second occurrence of a dimension in one tensor: self-attention scores are (b, n, s, prime(s)).
template <class D>
struct primed final : detail::dim_base {
  static constexpr role kind = D::kind;
  static std::string name() { return D::name() + "'"; }
  constexpr extent<primed, dynamic> operator=(std::integral auto n) const { return {static_cast<long>(n)}; }
  template <class T, T N>
  constexpr extent<primed, static_cast<long>(N)> operator=(boost::hana::integral_constant<T, N>) const {
    return {};
  }
};
template <dimension D>
constexpr primed<D> prime(D) {
  return {};
}

namespace detail {
template <class D>
struct unprimed {
  using type = D;
};
template <class D>
struct unprimed<primed<D>> : unprimed<D> {};
/// Whether two dims are the same or differ by primes only.
template <class A, class B>
inline constexpr bool prime_apart = std::is_same_v<typename unprimed<A>::type, typename unprimed<B>::type>;

/// D with as many primes as make it none of List.
template <class D, class List>
struct fresh : std::conditional_t<in<D, List>, fresh<primed<D>, List>, std::type_identity<D>> {};
template <class D, class List>
using fresh_t = typename fresh<D, List>::type;

template <class X>
inline constexpr bool is_extent = false;
template <class D, long N>
inline constexpr bool is_extent<extent<D, N>> = true;
} // namespace detail

/// The dimensions everyone needs; users declare more beside them.
namespace dims {
// clang-format off
inline constexpr struct b final : dim<"b", role::batch, b> { using dim::operator=; } b;              // batch
inline constexpr struct n final : dim<"n", role::batch, n> { using dim::operator=; } n;              // heads
inline constexpr struct g final : dim<"g", role::batch, g> { using dim::operator=; } g;              // groups: key-value heads
inline constexpr struct r final : dim<"r", role::batch, r> { using dim::operator=; } r;              // query heads of a group
inline constexpr struct part final : dim<"part", role::batch, part> { using dim::operator=; } part;  // q, k, v in one buffer
inline constexpr struct s final : dim<"s", role::matrix, s> { using dim::operator=; } s;             // queries
inline constexpr struct t final : dim<"t", role::matrix, t> { using dim::operator=; } t;             // keys
inline constexpr struct d final : dim<"d", role::matrix, d> { using dim::operator=; } d;             // head dim
inline constexpr struct e final : dim<"e", role::matrix, e> { using dim::operator=; } e;             // value dim
inline constexpr struct c final : dim<"c", role::matrix, c> { using dim::operator=; } c;             // channels
inline constexpr struct f final : dim<"f", role::matrix, f> { using dim::operator=; } f;             // hidden features
inline constexpr struct h final : dim<"h", role::matrix, h> { using dim::operator=; } h;             // image rows
inline constexpr struct w final : dim<"w", role::matrix, w> { using dim::operator=; } w;             // image columns, words
// clang-format on
} // namespace dims

} // namespace attend
