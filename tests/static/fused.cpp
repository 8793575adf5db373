// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is fused, and what is not with the reason.
#include <attend/language.hpp>
#include <attend/plan.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;
namespace because = attend::because;

template <class T, class... E>
auto of(E... e) {
  return attend::view(static_cast<T const*>(nullptr), e...);
}
auto q = of<float>(b = 2, n = 8, s = 8, d = 64_c);
auto k = of<float>(b = 2, n = 8, t = 8, d = 64_c);
auto v = of<float>(b = 2, n = 8, t = 8, d = 64_c);
auto x = q * transpose(k) / 8;

#define FUSED(...) static_assert(attend::is_fused<decltype(__VA_ARGS__)>)

FUSED(softmax(x) * v);
// any score function
auto slope = of<float>(n = 8);
auto documents_q = of<std::int64_t>(b = 2, s = 8);
auto documents_k = of<std::int64_t>(b = 2, t = 8);
auto lengths = of<std::int32_t>(b = 2);
auto relative = of<float>(w = 16, n = 8);
FUSED(softmax(masked(x, keep(causal(s, t)))) * v);
FUSED(softmax(masked(x, keep(causal(s, t, attend::bottom_right)))) * v);
FUSED(softmax(masked(x, keep(window(s, t, 4, 0)))) * v);
FUSED(softmax(masked(x, drop(padding(t, lengths)))) * v);
FUSED(softmax(masked(x, keep(same_document(documents_q, documents_k)))) * v);
FUSED(softmax(x + slope * (index(t) - index(s))) * v);
FUSED(softmax(30 * tanh(x / 30)) * v);
FUSED(softmax(x + gather(relative, index(t) - index(s) + 8, w)) * v);
FUSED(softmax(masked(30 * tanh(x / 30) + slope * (index(t) - index(s)), keep(window(s, t, 4, 0) && same_document(documents_q, documents_k)))) * v);
FUSED(softmax(masked(x, drop(padding(t, lengths)), -1e9)) * v);
FUSED(softmax(x, attend::empty_row::uniform) * v);
// storage of any order, groups, no batch, no heads, one query
FUSED(softmax(of<float>(b = 2, s = 8, n = 8, d = 64_c) * transpose(k)) * v);
FUSED(softmax(q * of<float>(b = 2, n = 8, d = 64_c, t = 8)) * v);
FUSED(softmax(split(q, n, g = 2_c, r) * transpose(of<float>(b = 2, g = 2_c, t = 8, d = 64_c))) * of<float>(b = 2, g = 2_c, t = 8, e = 32));
FUSED(softmax(q * transpose(of<float>(b = 2, t = 8, d = 64_c))) * of<float>(b = 2, t = 8, d = 64_c));
FUSED(softmax(of<float>(s = 8, d = 64) * transpose(of<float>(t = 8, d = 64))) * of<float>(t = 8, e = 3));
FUSED(contract(softmax(contract(of<float>(b = 2, n = 8, d = 64_c), k, d), t), v, t));
FUSED(softmax(masked(q * transpose(q), keep(causal(s, prime(s))))) * q);
FUSED(softmax(of<attend::bf16>(s = 8, d = 64) * transpose(of<attend::bf16>(t = 8, d = 64))) * of<attend::bf16>(t = 8, e = 3));
FUSED(softmax(of<attend::f16>(s = 8, d = 64) * transpose(of<attend::f16>(t = 8, d = 64))) * of<attend::f16>(t = 8, e = 3));
// what is linear in the weights stands between the softmax and the values
auto scores = of<float>(b = 2, n = 8, s = 8, t = 8);
auto gate = of<float>(b = 2, n = 8, s = 8);
auto sink = of<float>(n = 8);
FUSED(attend::dropout(softmax(x), 0.1, 1) * v);
FUSED(attend::dropout(softmax(masked(x, keep(causal(s, t)))), 0.1, 1) * v);
FUSED(contract(hadamard(softmax(x), scores), v, t));
FUSED(contract(hadamard(softmax(x), gate), v, t));
FUSED(contract(softmax(x) / gate, v, t));
FUSED(contract(hadamard(softmax(x), sigmoid(logsumexp(x) - sink)), v, t));
FUSED(contract(hadamard(attend::dropout(hadamard(gate, softmax(x)), 0.1, 1), sigmoid(logsumexp(x) - sink)), v, t));
// no softmax: sigmoid attention, linear attention with a mask or a decay
FUSED(sigmoid(x - 3) * v);
FUSED(sigmoid(masked(x, keep(causal(s, t)))) * v);
FUSED(where(causal(s, t), x, 0) * v);
FUSED(contract(hadamard(x, exp(slope * (index(t) - index(s)))), v, t));
FUSED(relu(x) * v);
// projections before, an output layer and a residual after
auto h = of<float>(b = 2, s = 8, c = 512_c);
auto wq = of<float>(c = 512_c, f = 512_c);
auto wo = of<float>(f = 512_c, c = 512_c);
auto heads = split(h * wq, f, n = 8_c, d);
FUSED(h + merge(softmax(heads * transpose(heads) / 8) * heads, n, d, f) * wo);
// a mask does not change the order of the dims, whatever its own
static_assert(std::is_same_v<decltype(masked(x, drop(padding(t, lengths))))::shape::dims, decltype(x)::shape::dims>);
static_assert(std::is_same_v<decltype(masked(x, drop(padding(t, lengths)), -1e9))::shape::dims, decltype(x)::shape::dims>);
// renames meet bound dims
FUSED(rename(softmax(x) * rename(v, d, e), e, d));
FUSED(rename(softmax(rename(x, s, d)) * rename(v, d, e), d, s));

template <template <class...> class Reason, class R>
constexpr bool is_reason = false;
template <template <class...> class Reason, class... What>
constexpr bool is_reason<Reason, Reason<What...>> = true;

#define NOT_FUSED(REASON, ...)                                                                                         \
  static_assert(!attend::is_fused<decltype(__VA_ARGS__)>);                                                             \
  static_assert(is_reason<because::REASON, attend::codegen::detail::reason_t<decltype(__VA_ARGS__)>>)

auto q2 = of<float>(b = 2, n = 8, s = 8, c = 64_c);
auto k2 = of<float>(b = 2, n = 8, t = 8, c = 64_c);
NOT_FUSED(root_is_no_product_of_a_softmax, x);
NOT_FUSED(root_is_no_product_of_a_softmax, softmax(x));
NOT_FUSED(root_is_no_product_of_a_softmax, q + q);
NOT_FUSED(root_is_no_product_of_a_softmax, x * v);
// a perceptron is two products
NOT_FUSED(root_is_no_product_of_a_softmax, relu(h * wq) * wo);
NOT_FUSED(root_is_no_product_of_a_softmax, gelu(h * wq + of<float>(f = 512_c)) * wo);
NOT_FUSED(weights_change_after_the_softmax, exp(softmax(x)) * v);
NOT_FUSED(weights_change_after_the_softmax, contract(softmax(x) + scores, v, t));
NOT_FUSED(weights_change_after_the_softmax, contract(hadamard(softmax(x), softmax(x)), v, t));
NOT_FUSED(weights_change_after_the_softmax, cast<attend::bf16>(softmax(x)) * of<attend::bf16>(b = 2, n = 8, t = 8, d = 64_c));
NOT_FUSED(product_and_softmax_differ_in_dims, contract(softmax(contract(q, k, d), s), v, t));
NOT_FUSED(product_and_softmax_differ_in_dims, contract(softmax(contract(q, k, d), s, t), v, t));
NOT_FUSED(softmax_over_several_dims, contract(softmax(contract(q, k, d), n, t), v, n, t));
NOT_FUSED(scores_without_product, softmax(scores) * v);
NOT_FUSED(scores_without_product, softmax(softmax(x)) * v);
NOT_FUSED(scores_with_several_products, softmax(q * transpose(k) + q2 * transpose(k2)) * v);
NOT_FUSED(product_over_several_dims, contract(softmax(contract(q, k, n, d), t), v, t));
NOT_FUSED(key_lacks_the_softmax_dim, contract(softmax(contract(q, of<float>(b = 2, n = 8, d = 64_c), d) + scores, t), v, t));
NOT_FUSED(query_has_the_softmax_dim, contract(softmax(contract(of<float>(s = 8, t = 8, d = 64), of<float>(t = 8, d = 64), d), t), of<float>(t = 8, e = 3), t));
NOT_FUSED(value_has_several_dims_of_its_own, contract(softmax(contract(q, k, d), t), of<float>(t = 8, e = 3, c = 4), t));
NOT_FUSED(element_types_differ, softmax(x) * of<attend::bf16>(b = 2, n = 8, t = 8, d = 64_c));
NOT_FUSED(element_type_without_kernel, softmax(of<double>(s = 8, d = 64) * transpose(of<double>(t = 8, d = 64))) * of<double>(t = 8, e = 3));

} // namespace
