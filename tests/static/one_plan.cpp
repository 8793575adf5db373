// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Spellings of attention that are equal by algebra are one plan type.
#include <attend/language.hpp>
#include <attend/plan.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;

// Only types are asked about: nothing here runs.
auto q = attend::view(static_cast<float const*>(nullptr), b = 2, n = 4, s = 8, d = 64_c);
auto k = attend::view(static_cast<float const*>(nullptr), b = 2, n = 4, t = 8, d = 64_c);
auto v = attend::view(static_cast<float const*>(nullptr), b = 2, n = 4, t = 8, d = 64_c);
auto mask = attend::view(static_cast<float const*>(nullptr), s = 8, t = 8);
auto pad = attend::view(static_cast<bool const*>(nullptr), b = 2, t = 8);
auto slope = attend::view(static_cast<float const*>(nullptr), n = 4);
auto x = q * transpose(k) * 0.125f + mask;
auto p = exp(x - max(x, t));

#define SAME_PLAN(A, B)                                                                                                \
  static_assert(std::is_same_v<attend::plan_of<decltype(A)>::region, attend::plan_of<decltype(B)>::region>);            \
  static_assert(attend::is_fused<decltype(A)>)

// where the scale stands, or that there is none
SAME_PLAN(softmax(x) * v, softmax((q * 0.125f) * transpose(k) + mask) * v);
SAME_PLAN(softmax(x) * v, softmax(q * transpose(k * 0.125f) + mask) * v);
SAME_PLAN(softmax(x) * v, softmax(q * transpose(k) / 8 + mask) * v);
SAME_PLAN(softmax(x) * v, softmax(0.125 * (q * transpose(k)) + mask) * v);
SAME_PLAN(softmax(x) * v, softmax((q / 2) * transpose(k / 4) + mask) * v);
SAME_PLAN(softmax(x) * v, softmax(q * transpose(k) + mask) * v);
SAME_PLAN(softmax(x) * v, softmax(-(q * transpose(k)) + mask) * v);
SAME_PLAN(softmax(x) * v, softmax(x) * v * 2);
SAME_PLAN(softmax(x) * v, softmax(x) * (v / 3));
SAME_PLAN(softmax(x) * v, 2 * softmax(x) * v);
// sums either way round
SAME_PLAN(softmax(x) * v, softmax(mask + q * transpose(k) * 0.125f) * v);
SAME_PLAN(softmax(x) * v, softmax(mask + 0.125f * q * transpose(k)) * v);
// contract instead of *, operands either way round, the dim named
SAME_PLAN(softmax(x) * v, contract(softmax(contract(q, k, d) * 0.125f + mask, t), v, t));
SAME_PLAN(softmax(x) * v, contract(v, softmax(contract(q, k, d) * 0.125f + mask, t), t));
SAME_PLAN(softmax(x) * v, softmax(contract(q, k, d) * 0.125f + mask, t) * v);
SAME_PLAN(softmax(x) * v, softmax(oriented(contract(q, k, d), s, t) / 8 + mask) * v);
SAME_PLAN(softmax(x) * v, softmax(x, t) * v);
SAME_PLAN(softmax(x) * v, transpose(transpose(softmax(x))) * v);
// softmax written out
SAME_PLAN(softmax(x) * v, exp(x - max(x, t)) / sum(exp(x - max(x, t)), t) * v);
SAME_PLAN(softmax(x) * v, exp(x) / sum(exp(x), t) * v);
SAME_PLAN(softmax(x) * v, contract(p, v, t) / sum(p, t));
SAME_PLAN(softmax(x) * v, contract(v, p, t) / sum(p, t));
SAME_PLAN(softmax(x) * v, softmax(x - max(x)) * v);
SAME_PLAN(softmax(x) * v, softmax(x - logsumexp(x)) * v);
SAME_PLAN(softmax(x) * v, softmax(x - 2 * max(x)) * v);
// ... but what is added to a row may be minus infinity, which masks it
static_assert(!std::is_same_v<attend::plan_of<decltype(softmax(x) * v)>::region, attend::plan_of<decltype(softmax(x + slope) * v)>::region>);
static_assert(attend::is_fused<decltype(softmax(x + slope) * v)>);
// a mask before or after the bias, by sugar or by hand
SAME_PLAN(softmax(masked(x, keep(causal(s, t)))) * v, softmax(masked(q * transpose(k), keep(causal(s, t))) + mask) * v);
SAME_PLAN(softmax(masked(x, keep(causal(s, t)))) * v, softmax(mask + masked(q * transpose(k), keep(causal(s, t)))) * v);
SAME_PLAN(softmax(masked(x, keep(causal(s, t)))) * v, softmax(masked(x, keep(index(t) <= index(s)))) * v);
SAME_PLAN(softmax(masked(x, keep(causal(s, t)))) * v, softmax(masked(x, keep(index(s) >= index(t)))) * v);
SAME_PLAN(softmax(masked(x, drop(pad))) * v, softmax(masked(x, keep(!pad))) * v);
SAME_PLAN(softmax(masked(masked(x, drop(pad)), keep(causal(s, t)))) * v, softmax(masked(x, keep(!pad && causal(s, t)))) * v);
// heads split and merged around the product
SAME_PLAN(softmax(x) * v, merge(softmax(x) * v, n, d, c));

} // namespace
