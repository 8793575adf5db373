// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Thirty different expressions, brought through language and codegen to their plans.
// expressions: 30
#include <attend/language.hpp>
#include <attend/plan.hpp>

using namespace attend::dims;
using namespace attend::literals;

namespace {

template <class T, class... E>
auto of(E... e) {
  return attend::view(static_cast<T const*>(nullptr), e...);
}
auto q = of<float>(b = 2, n = 8, s = 8, d = 64_c);
auto k = of<float>(b = 2, n = 8, t = 8, d = 64_c);
auto v = of<float>(b = 2, n = 8, t = 8, d = 64_c);
auto x = q * transpose(k) / 8;

auto slope = of<float>(n = 8);
auto documents_q = of<std::int64_t>(b = 2, s = 8);
auto documents_k = of<std::int64_t>(b = 2, t = 8);
auto lengths = of<std::int32_t>(b = 2);
auto relative = of<float>(w = 16, n = 8);
auto h = of<float>(b = 2, s = 8, c = 512_c);
auto wq = of<float>(c = 512_c, f = 512_c);
auto wo = of<float>(f = 512_c, c = 512_c);
auto heads = split(h * wq, f, n = 8_c, d);

static_assert(attend::is_fused<decltype(softmax(x) * v)>);
static_assert(attend::is_fused<decltype(softmax(masked(x, keep(causal(s, t)))) * v)>);
static_assert(attend::is_fused<decltype(softmax(masked(x, keep(causal(s, t, attend::bottom_right)))) * v)>);
static_assert(attend::is_fused<decltype(softmax(masked(x, keep(window(s, t, 4, 0)))) * v)>);
static_assert(attend::is_fused<decltype(softmax(masked(x, drop(padding(t, lengths)))) * v)>);
static_assert(attend::is_fused<decltype(softmax(masked(x, keep(same_document(documents_q, documents_k)))) * v)>);
static_assert(attend::is_fused<decltype(softmax(x + slope * (index(t) - index(s))) * v)>);
static_assert(attend::is_fused<decltype(softmax(30 * tanh(x / 30)) * v)>);
static_assert(attend::is_fused<decltype(softmax(x + gather(relative, index(t) - index(s) + 8, w)) * v)>);
static_assert(attend::is_fused<decltype(softmax(masked(30 * tanh(x / 30) + slope * (index(t) - index(s)), keep(window(s, t, 4, 0) && same_document(documents_q, documents_k)))) * v)>);
static_assert(attend::is_fused<decltype(softmax(masked(x, drop(padding(t, lengths)), -1e9)) * v)>);
static_assert(attend::is_fused<decltype(softmax(x, attend::empty_row::uniform) * v)>);
static_assert(attend::is_fused<decltype(softmax(of<float>(b = 2, s = 8, n = 8, d = 64_c) * transpose(k)) * v)>);
static_assert(attend::is_fused<decltype(softmax(q * of<float>(b = 2, n = 8, d = 64_c, t = 8)) * v)>);
static_assert(attend::is_fused<decltype(softmax(split(q, n, g = 2_c, r) * transpose(of<float>(b = 2, g = 2_c, t = 8, d = 64_c))) * of<float>(b = 2, g = 2_c, t = 8, e = 32))>);
static_assert(attend::is_fused<decltype(softmax(q * transpose(of<float>(b = 2, t = 8, d = 64_c))) * of<float>(b = 2, t = 8, d = 64_c))>);
static_assert(attend::is_fused<decltype(softmax(of<float>(s = 8, d = 64) * transpose(of<float>(t = 8, d = 64))) * of<float>(t = 8, e = 3))>);
static_assert(attend::is_fused<decltype(contract(softmax(contract(of<float>(b = 2, n = 8, d = 64_c), k, d), t), v, t))>);
static_assert(attend::is_fused<decltype(softmax(masked(q * transpose(q), keep(causal(s, prime(s))))) * q)>);
static_assert(attend::is_fused<decltype(softmax(of<attend::bf16>(s = 8, d = 64) * transpose(of<attend::bf16>(t = 8, d = 64))) * of<attend::bf16>(t = 8, e = 3))>);
static_assert(attend::is_fused<decltype(softmax(of<attend::f16>(s = 8, d = 64) * transpose(of<attend::f16>(t = 8, d = 64))) * of<attend::f16>(t = 8, e = 3))>);
static_assert(attend::is_fused<decltype(h + merge(softmax(heads * transpose(heads) / 8) * heads, n, d, f) * wo)>);
static_assert(attend::is_fused<decltype(rename(softmax(x) * rename(v, d, e), e, d))>);
static_assert(attend::is_fused<decltype(rename(softmax(rename(x, s, d)) * rename(v, d, e), d, s))>);
static_assert(attend::is_fused<decltype(softmax(masked(x, keep(index(s) - index(t) <= 64 || index(t) < 4))) * v)>);
static_assert(attend::is_fused<decltype(softmax(x + of<float>(s = 8, t = 8)) * v)>);
static_assert(attend::is_fused<decltype(softmax(masked(x + of<float>(n = 8, s = 8, t = 8), keep(causal(s, t)))) * v)>);
static_assert(attend::is_fused<decltype(softmax(x) * of<float>(b = 2, n = 8, t = 8, e = 16))>);
static_assert(attend::is_fused<decltype(softmax(x / 2 + index(t)) * v)>);
static_assert(attend::is_fused<decltype(contract(softmax(x - max(x)), v, t) * 3)>);

} // namespace
