// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One mistake at the beginning of much code is one error.
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

auto q = attend::normal<float>(b = 2, s = 4, d = 8_c);
auto k = attend::normal<float>(b = 2, t = 4, d = 8_c);
auto v = attend::normal<float>(b = 2, t = 4, d = 8_c);
// expected-error: operator*(x, y) requires the column dim of 'x' and the row dim of 'y' to be the same dimension
// expected-note: column_of_x<d>
// expected-note: row_of_y<t>
auto scores = q * k;

auto biased = where(scores < 0 || !(scores == scores), hadamard(2 * scores / 3 - 1, scores), max(scores, 0)) + index(s);
auto kept = masked(masked(masked(scores, keep(scores < 0)), drop(attend::causal(s, t))), keep(scores < 0), -1e9);
auto weights = attend::dropout(softmax(kept), 0.1, 7);
auto others = softmax(scores, t, attend::empty_row::uniform) * v + contract(weights, v, t) + sum(scores) + mean(scores, s, t) + logsumexp(scores);
auto seen = transpose(oriented(rename(slice(at(scores, b, 0), s, 0, 2), s, prime(s)), s, t));
auto apart = merge(split(scores, d, n = 2_c, e), n, e, d);
auto looked_up = gather(scores, scores) + gather(q, scores) + attend::cast<attend::bf16>(tanh(-scores));
auto masks = keep(scores);
auto sums = scores + masks + drop(scores);
float first = *scores.data() + scores(b = 0, s = 0) + static_cast<float>(scores.extent(s) + scores.size());
