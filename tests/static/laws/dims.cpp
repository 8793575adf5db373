// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dims and extents: a named type with an object of its name, primes, static and dynamic extents, dims of the user's own.
#include "asserts.hpp"

namespace mine {
inline constexpr struct seq final : attend::dim<"seq", attend::role::matrix, seq> { using dim::operator=; } seq;
inline constexpr struct expert final : attend::dim<"expert", attend::role::batch, expert> { using dim::operator=; } expert;
} // namespace mine

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::laws::of;
using B = std::remove_const_t<decltype(b)>;
using S = std::remove_const_t<decltype(s)>;
using T = std::remove_const_t<decltype(t)>;
using D = std::remove_const_t<decltype(d)>;
using C = std::remove_const_t<decltype(c)>;
using Seq = std::remove_const_t<decltype(mine::seq)>;
using PrimedS = decltype(prime(s));

// a dim is an empty type, and its own name
static_assert(attend::dimension<B> && attend::dimension<PrimedS> && attend::dimension<Seq>);
static_assert(!attend::dimension<int> && !attend::dimension<decltype(s = 4)>);
static_assert(std::is_empty_v<B> && std::is_empty_v<PrimedS>);
static_assert(!std::is_same_v<S, T>);

// the role is declared with it, and a prime keeps it
static_assert(b.kind == attend::role::batch && n.kind == attend::role::batch && g.kind == attend::role::batch && r.kind == attend::role::batch);
static_assert(s.kind == attend::role::matrix && t.kind == attend::role::matrix && d.kind == attend::role::matrix && e.kind == attend::role::matrix);
static_assert(prime(s).kind == attend::role::matrix && prime(n).kind == attend::role::batch);
static_assert(mine::seq.kind == attend::role::matrix && mine::expert.kind == attend::role::batch);

// primes nest, and are dims of their own
static_assert(!std::is_same_v<S, PrimedS>);
static_assert(!std::is_same_v<PrimedS, attend::primed<PrimedS>>);
static_assert(std::is_same_v<PrimedS, attend::primed<S>>);

// an extent is static or dynamic by what it is given
static_assert(std::is_same_v<decltype(d = 64_c), attend::extent<D, 64>>);
static_assert(std::is_same_v<decltype(s = 64), attend::extent<S, attend::dynamic>>);
static_assert(std::is_same_v<decltype(s = 64u), decltype(s = 64l)> && std::is_same_v<decltype(s = char(64)), decltype(s = 64)>);
static_assert(std::is_same_v<decltype(prime(s) = 5_c), attend::extent<PrimedS, 5>>);
static_assert(std::is_same_v<decltype(mine::seq = 5_c), attend::extent<Seq, 5>>);
static_assert((d = 64_c).size() == 64 && (s = 17).size() == 17);
// and the arithmetic of integral constants stays static
static_assert(std::is_same_v<decltype(c = 8_c * 64_c), attend::extent<C, 512>>);
static_assert(std::is_same_v<decltype(d = 512_c / 8_c), attend::extent<D, 64>>);
static_assert(std::is_same_v<decltype(d = 0_c), attend::extent<D, 0>>);

// the order in which dims are listed is the order of storage
SHAPE(of<float>(b = 2, n = 8, s = 5, d = 64_c), b, n, s, d = 64_c);
SHAPE(of<float>(b = 2, s = 5, n = 8_c, d = 64_c), b, s, n = 8_c, d = 64_c);
SHAPE(of<float>(mine::seq = 5, mine::expert = 2_c), mine::seq, mine::expert = 2_c);
SHAPE(of<float>(b = 2, s = 5, prime(s) = 5), b, s, prime(s));
SHAPE(of<float>());
SHAPE(attend::zeros<float>(b = 2, d = 64_c), b, d = 64_c);
SHAPE(attend::view(static_cast<float*>(nullptr), attend::strides(d = 1, s = 64), s = 5, d = 64_c), s, d = 64_c);

// of exactly two matrix dims the first is the row and the second the column, wherever batch dims stand
ORIENTED(of<float>(b = 2, n = 8, s = 5, d = 64), s, d);
ORIENTED(of<float>(b = 2, s = 5, n = 8, d = 64), s, d);
ORIENTED(of<float>(s = 5, d = 64, b = 2, n = 8), s, d);
ORIENTED(of<float>(b = 2, n = 8, d = 64, t = 7), d, t); // a key cache stored so is a transposed one already
ORIENTED(of<float>(s = 5, prime(s) = 5), s, prime(s));
ORIENTED(of<float>(mine::seq = 5, d = 64), mine::seq, d);
UNORIENTED(of<float>(b = 2, d = 64));
UNORIENTED(of<float>(b = 2, n = 8));
UNORIENTED(of<float>(b = 3, c = 512, h = 512, w = 512));
UNORIENTED(of<float>());

// how an expression holds its operands: what has a name by view, what has none with its memory
auto q = attend::zeros<float>(b = 2, s = 5, d = 64_c);
template <class X>
constexpr bool owns = false;
template <class T, class S, class... A>
constexpr bool owns<attend::owned<T, S, A...>> = true;
static_assert(!owns<attend::detail::lifted<decltype(q)&>> && !owns<attend::detail::lifted<decltype(q) const&>>);
static_assert(owns<attend::detail::lifted<decltype(q)>>);
static_assert(std::is_trivially_copyable_v<decltype(exp(q))>);
static_assert(sizeof(exp(q)) == sizeof(q.view()));                             // a node costs no byte
static_assert(sizeof(q + q) == 2 * sizeof(q.view()));
static_assert(sizeof(softmax(q)) <= sizeof(q.view()) + sizeof(void*));          // its guard
static_assert(sizeof(attend::index(s) - attend::index(t)) <= 2);

} // namespace
