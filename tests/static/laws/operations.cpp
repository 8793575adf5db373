// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dims, row and column of every operation's result.
#include "asserts.hpp"

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::index;
using attend::laws::free;
using attend::laws::of;

auto q = of<float>(b = 2, n = 8_c, s = 5, d = 64_c);
auto k = of<float>(b = 2, n = 8_c, t = 7, d = 64_c);
auto v = of<float>(b = 2, n = 8_c, t = 7, e = 32_c);
auto q_bsnd = of<float>(b = 2, s = 5, n = 8_c, d = 64_c);
auto k_tb = of<float>(t = 7, d = 64_c, b = 2, n = 8_c);
auto x = of<float>(b = 2, s = 5, c = 512_c);
auto w1 = of<float>(c = 512_c, f = 2048_c);
auto slope = of<float>(n = 8_c);
auto bias = of<float>(s = 5, t = 7);
auto scores = q * transpose(k);

// ---- products: of the left operand in its order, the contracted dim replaced by what the right brings, then the right's others
SHAPE(q * transpose(k), b, n = 8_c, s, t);
SHAPE(q_bsnd * transpose(k), b, s, n = 8_c, t);
SHAPE(q * transpose(k_tb), b, n = 8_c, s, t);
SHAPE(scores * v, b, n = 8_c, s, e = 32_c);
SHAPE(x * w1, b, s, f = 2048_c);
SHAPE(of<float>(s = 5, d = 64) * of<float>(d = 64, t = 7), s, t);
SHAPE(q * of<float>(d = 64, c = 3), b, n = 8_c, s, c);                                 // broadcast over batch dims that one side lacks
SHAPE(of<float>(s = 5, d = 64) * transpose(k), s, t, b, n = 8_c);                      // dims of the right operand only come last
SHAPE(split(q, n, g = 2_c, r) * transpose(of<float>(b = 2, g = 2_c, t = 7, d = 64_c)), b, g = 2_c, r = 4_c, s, t);
ORIENTED(q * transpose(k), s, t);
ORIENTED(q_bsnd * transpose(k_tb), s, t);
ORIENTED(scores * v, s, e);
ORIENTED(k * transpose(q), t, s);
// what one side knows of an extent, the result knows
SHAPE(of<float>(s = 5, d = 64) * of<float>(d = 64_c, t = 7_c), s, t = 7_c);
SHAPE(of<float>(n = 8, s = 5, d = 64) * of<float>(n = 8_c, d = 64, t = 7), n = 8_c, s, t);

// ---- a tensor with itself: the columns are primed
auto self = of<float>(b = 2, s = 5, d = 64_c);
SHAPE(self * transpose(self), b, s, prime(s));
ORIENTED(self * transpose(self), s, prime(s));
SHAPE(softmax(self * transpose(self)) * self, b, s, d = 64_c);                          // s' meets s: a prime apart
SHAPE(transpose(self) * self, b, prime(d) = 64_c, d = 64_c);                           // d' where s stood
SHAPE(of<float>(s = 5, prime(s) = 5) * of<float>(s = 5, prime(s) = 5), s, prime(s));   // of two maps again one
ORIENTED(of<float>(s = 5, prime(s) = 5) * of<float>(s = 5, prime(s) = 5), s, prime(s));

// ---- contractions: by name, with no row and no column until something says which
SHAPE(contract(q, k, d), b, n = 8_c, s, t);
SHAPE(contract(k, q, d), b, n = 8_c, t, s);
SHAPE(contract(q, k, n, d), b, s, t);                                                    // in the place of the last row or column summed over
SHAPE(contract(q, k, b, n, d), s, t);
SHAPE(contract(x, x, s), b, c = 512_c);
SHAPE(contract(q, slope, n), b, s, d = 64_c);
UNORIENTED(contract(q, k, d));
ORIENTED(softmax(contract(q, k, d), t), s, t);
ORIENTED(oriented(contract(q, k, d), t, s), t, s);
ORIENTED(contract(q, k, d) * v, s, e);                                                  // v's row says which is the column
ORIENTED(transpose(v) * contract(k, q, d), e, s);

// ---- scalings: numbers, rank 0, batch dims only
SHAPE(scores * 2, b, n = 8_c, s, t);
SHAPE(2 * scores, b, n = 8_c, s, t);
SHAPE(scores / 8, b, n = 8_c, s, t);
SHAPE(scores * slope, b, n = 8_c, s, t);
SHAPE(slope * scores, n = 8_c, b, s, t);
SHAPE(scores * of<float>(), b, n = 8_c, s, t);
SHAPE(slope * (index(t) - index(s)), n = 8_c, free(t), free(s));
ORIENTED(scores * slope, s, t);
ORIENTED(slope * scores, s, t);

// ---- elementwise: dims of the first in its order, then the others' further ones; orientations join
SHAPE(scores + bias, b, n = 8_c, s, t);
SHAPE(bias + scores, s, t, b, n = 8_c);
SHAPE(hadamard(x, of<float>(c = 512)), b, s, c = 512_c);
SHAPE(hadamard(of<float>(c = 512), x), c = 512_c, b, s);
SHAPE(max(scores, 0), b, n = 8_c, s, t);
SHAPE(1 / (1 + exp(-scores)), b, n = 8_c, s, t);
SHAPE(scores + index(t), b, n = 8_c, s, t);                                             // an index takes its extent from the context
SHAPE(index(t) + scores, t, b, n = 8_c, s);
SHAPE(where(index(t) <= index(s), scores, 0), b, n = 8_c, s, t);
ORIENTED(scores + bias, s, t);
ORIENTED(bias + scores, s, t);
ORIENTED(scores + of<float>(t = 7), s, t);                                              // one without takes the other's
ORIENTED(of<float>(t = 7) + scores, s, t);
ORIENTED(scores < 0, s, t);
DISPUTED(scores + of<float>(t = 7, s = 5));                                             // none of the two may be the default
DISPUTED(transpose(scores) + scores);
ORIENTED(oriented(scores + of<float>(t = 7, s = 5), s, t), s, t);
ORIENTED(tanh(transpose(scores)), t, s);

// ---- masks: dims, row and column of the scores, whatever the mask's
auto pad = of<bool>(t = 7, b = 2);
SHAPE(masked(scores, drop(pad)), b, n = 8_c, s, t);
SHAPE(masked(scores, keep(causal(s, t))), b, n = 8_c, s, t);
SHAPE(masked(scores, drop(pad), -1e9f), b, n = 8_c, s, t);
ORIENTED(masked(scores, drop(pad)), s, t);
ORIENTED(masked(contract(q, k, d) + bias, keep(causal(s, t))), s, t);

// ---- reductions and normalisations
SHAPE(sum(scores), b, n = 8_c, s);
SHAPE(max(scores, s), b, n = 8_c, t);
SHAPE(mean(x, b, s), c = 512_c);
SHAPE(logsumexp(scores, t), b, n = 8_c, s);
SHAPE(min(x, b, s, c));
SHAPE(softmax(scores), b, n = 8_c, s, t);
SHAPE(softmax(scores, n), b, n = 8_c, s, t);
SHAPE(softmax(scores, s, t), b, n = 8_c, s, t);
ORIENTED(softmax(scores), s, t);
ORIENTED(softmax(scores, s), s, t);
ORIENTED(sum(scores, n), s, t);
ORIENTED(max(of<float>(s = 5, t = 7, d = 64), d), s, t);                                // two matrix dims are left
UNORIENTED(sum(scores));

// ---- look-ups and dropout
auto table = of<float>(w = 301, c = 512_c);
auto ids = of<std::int64_t>(b = 3, s = 5);
SHAPE(gather(table, ids, w), b, s, c = 512_c);
SHAPE(gather(table, ids), b, s, c = 512_c);                                             // the first matrix dim of the table
SHAPE(gather(of<float>(w = 16, n = 8_c), index(t) - index(s) + 8, w), free(t), free(s), n = 8_c);
SHAPE(gather(x, of<std::int32_t>(b = 2, t = 3), s), b, t, c = 512_c);                   // ids of the batch entry
ORIENTED(gather(table, ids), s, c);
SHAPE(attend::dropout(softmax(scores), 0.5, 1), b, n = 8_c, s, t);
ORIENTED(attend::dropout(softmax(scores), 0.5, 1), s, t);
SHAPE(attend::cast<attend::bf16>(scores), b, n = 8_c, s, t);

} // namespace
