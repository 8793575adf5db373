// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Plans: which kernel an expression ends in, and what that costs - constants where every extent is static, closed forms
// of the dynamic ones otherwise - against formulas worked out by hand.
#include <attend/language.hpp>
#include <attend/plan.hpp>
#include <string_view>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::index;

template <class T, class... E>
auto of(E... e) {
  return attend::view(static_cast<T const*>(nullptr), e...);
}
template <class E>
constexpr std::string_view kernel(E const&) { return attend::plan_of<E>::kernel; }

#define KERNEL(NAME, ...) static_assert(attend::plan_of<decltype(__VA_ARGS__)>::kernel == std::string_view(NAME))
#define FLOPS(N, EXTENTS, ...) static_assert(attend::plan_of<decltype(__VA_ARGS__)>::flops EXTENTS == (N))
#define BYTES(N, EXTENTS, ...) static_assert(attend::plan_of<decltype(__VA_ARGS__)>::bytes EXTENTS == (N))

auto q = of<float>(b = 2, n = 8, s = 8, d = 64_c);
auto k = of<float>(b = 2, n = 8, t = 8, d = 64_c);
auto v = of<float>(b = 2, n = 8, t = 8, e = 32_c);
auto x = q * transpose(k) * 0.125f;
auto bias = of<float>(s = 8, t = 8);
auto pad = of<bool>(b = 2, t = 8);

// ---- attention: two products, and f at every score
#define EXTENTS (b = 2, n = 8, s = 128, t = 256)
constexpr long scores = 2l * 8 * 128 * 256;
KERNEL("fused attention", softmax(x) * v);
FLOPS(scores * (2 * 64 + 2 * 32), EXTENTS, softmax(x) * v);                                              // the scale is free
FLOPS(scores * (2 * 64 + 2 * 32 + 1), EXTENTS, softmax(x + bias) * v);
FLOPS(scores * (2 * 64 + 2 * 32 + 2), EXTENTS, softmax(masked(x, keep(causal(s, t)))) * v);               // a comparison and a choice
FLOPS(scores * (2 * 64 + 2 * 32 + 3), EXTENTS, softmax(masked(x + bias, keep(causal(s, t)))) * v);
FLOPS(scores * (2 * 64 + 2 * 32 + 2), EXTENTS, softmax(tanh(x + bias)) * v);
constexpr long q_k_v_out = 4 * (2l * 8 * 128 * 64 + 2l * 8 * 256 * 64 + 2l * 8 * 256 * 32 + 2l * 8 * 128 * 32);
BYTES(q_k_v_out, EXTENTS, softmax(x) * v);
BYTES(q_k_v_out + 4 * 128 * 256, EXTENTS, softmax(x + bias) * v);                                         // read once, not once a head
BYTES(q_k_v_out + 2 * 256, EXTENTS, softmax(masked(x, drop(pad))) * v);
BYTES(q_k_v_out, EXTENTS, softmax(masked(x, keep(causal(s, t)))) * v);                                    // an index is no memory
#undef EXTENTS

// ---- no memory is proportional to s * t
template <class E>
constexpr bool linear = attend::plan_of<E>::bytes(b = 1, n = 1, s = 1 << 20, t = 1 << 20) == 16 * attend::plan_of<E>::bytes(b = 1, n = 1, s = 1 << 16, t = 1 << 16);
static_assert(linear<decltype(softmax(x) * v)> && linear<decltype(softmax(masked(30 * tanh(x / 30), keep(window(s, t, 64, 0)))) * v)>);
static_assert(!linear<decltype(softmax(x + bias) * v)>);

// ---- static extents make constants
namespace constants {
auto q = of<attend::bf16>(b = 32_c, n = 8_c, s = 128_c, d = 64_c);
auto k = of<attend::bf16>(b = 32_c, n = 8_c, t = 128_c, d = 64_c);
using expression = decltype(softmax(q * transpose(k) / 8) * k);
constexpr long flops = attend::plan_of<expression>::flops();
constexpr long bytes = attend::plan_of<expression>::bytes();
static_assert(flops == 32l * 8 * 128 * 128 * (2 * 64 + 2 * 64));
static_assert(bytes == 2 * 4 * 32l * 8 * 128 * 64);
// given as well, the type's own win
static_assert(attend::plan_of<expression>::flops(s = 5, t = 7) == flops);
} // namespace constants

// ---- groups: keys and values are read once a group, not once a head
auto grouped_k = of<float>(b = 2, g = 2_c, t = 8, d = 64_c);
auto grouped_v = of<float>(b = 2, g = 2_c, t = 8, e = 32_c);
auto heads = of<float>(b = 2, n = 8_c, s = 8, d = 64_c);
KERNEL("fused attention", softmax(split(heads, n, g = 2_c, r) * transpose(grouped_k)) * grouped_v);
FLOPS(3l * 8 * 16 * 32 * (2 * 64 + 2 * 32), (b = 3, s = 16, t = 32), softmax(split(heads, n, g = 2_c, r) * transpose(grouped_k)) * grouped_v);
BYTES(4 * (3l * 8 * 16 * 64 + 3l * 2 * 32 * 64 + 3l * 2 * 32 * 32 + 3l * 8 * 16 * 32), (b = 3, s = 16, t = 32), softmax(split(heads, n, g = 2_c, r) * transpose(grouped_k)) * grouped_v);
// multi-query: no heads at all
BYTES(4 * (3l * 8 * 16 * 64 + 3l * 32 * 64 + 3l * 32 * 32 + 3l * 8 * 16 * 32), (b = 3, s = 16, t = 32), softmax(heads * transpose(of<float>(b = 2, t = 8, d = 64_c))) * of<float>(b = 2, t = 8, e = 32_c));

// ---- self-attention: a prime's extent is its dim's
auto self = of<float>(b = 2, s = 8, d = 64_c);
FLOPS(2l * 100 * 100 * (2 * 64 + 2 * 64), (b = 2, s = 100), softmax(self * transpose(self)) * self);
BYTES(4 * 4 * 2l * 100 * 64, (b = 2, s = 100), softmax(self * transpose(self)) * self);

// ---- one query
FLOPS(3l * 8 * 1000 * (2 * 64 + 2 * 32), (b = 3, n = 8, t = 1000), contract(softmax(contract(of<float>(b = 2, n = 8, d = 64_c), k, d), t), v, t));

// ---- products, what rides along, and what they are of
auto h = of<float>(b = 2, s = 8, c = 512_c);
auto w1 = of<float>(c = 512_c, f = 2048_c);
auto b1 = of<float>(f = 2048_c);
auto wide = of<float>(b = 2, s = 8, f = 2048_c);
KERNEL("matrix product", q * transpose(k));
KERNEL("matrix product", contract(q, k, d) * 3);
KERNEL("matrix product", h * w1);
KERNEL("matrix product", h * w1 + b1);
KERNEL("matrix product", gelu(h * w1 + b1));
KERNEL("matrix product", wide + relu(h * w1 + b1));
KERNEL("matrix product", merge(softmax(x) * rename(v, e, d), n, d, c) * of<float>(c = 256, f = 512));       // attention feeds it
FLOPS(2l * 3 * 5 * 512 * 2048, (b = 3, s = 5), h * w1);
FLOPS(2l * 3 * 5 * 512 * 2048, (b = 3, s = 5), gelu(h * w1 + b1));
BYTES(4 * (3l * 5 * 512 + 512 * 2048 + 3l * 5 * 2048), (b = 3, s = 5), h * w1);
BYTES(4 * (3l * 5 * 512 + 512 * 2048 + 2048 + 3l * 5 * 2048), (b = 3, s = 5), gelu(h * w1 + b1));
BYTES(4 * (3l * 5 * 512 + 512 * 2048 + 2048 + 2 * 3l * 5 * 2048), (b = 3, s = 5), wide + gelu(h * w1 + b1));

// ---- rows
KERNEL("row normalisation", softmax(bias));
KERNEL("row normalisation", softmax(q * transpose(k)));
KERNEL("row normalisation", (h - mean(h)) / sqrt(mean((h - mean(h)) * 1.0f) + 1e-5));
KERNEL("reduction", sum(h));
KERNEL("reduction", mean(h, s));
KERNEL("reduction", logsumexp(q * transpose(k)));
KERNEL("reduction", sum(hadamard(h, h), b, s, c));
FLOPS(100l * 200, (s = 100, t = 200), sum(bias));                     // one addition an element
FLOPS(2 * 100l * 200, (s = 100, t = 200), sum(abs(bias)));
FLOPS(100l * 200 + 100, (s = 100, t = 200), mean(bias));              // and a division a row
FLOPS(4 * 100l * 200, (s = 100, t = 200), softmax(bias));             // maximum; exp and sum; weight
BYTES(4 * (100l * 200 + 100), (s = 100, t = 200), sum(bias));
BYTES(4 * (2 * 100l * 200 + 100), (s = 100, t = 200), logsumexp(bias)); // read for the maximum and for the sum
BYTES(4 * 4 * 100l * 200, (s = 100, t = 200), softmax(bias));

// ---- passes
KERNEL("elementwise pass", exp(h) * 2 + 1);
KERNEL("elementwise pass", transpose(q));
KERNEL("elementwise pass", masked(bias, keep(causal(s, t))));
KERNEL("elementwise pass", gather(of<float>(w = 301, c = 512_c), of<std::int64_t>(b = 3, s = 5), w));
KERNEL("elementwise pass", attend::dropout(h, 0.5, 1));
FLOPS(3 * 2l * 7 * 512, (b = 2, s = 7), exp(h) * 2 + 1);
FLOPS(0, (b = 2, s = 7), merge(split(h, c, n = 8_c, d), n, d, c));     // views are free
BYTES(2 * 4 * 2l * 7 * 512, (b = 2, s = 7), exp(h));
BYTES(3 * 4 * 2l * 7 * 512, (b = 2, s = 7), h + exp(of<float>(b = 2, s = 7, c = 512_c)));
BYTES(4 * 2l * 7 * 512 + 8 * 2 * 7 + 4 * 2l * 7 * 512, (b = 2, s = 7), gather(of<float>(w = 301, c = 512_c), of<std::int64_t>(b = 3, s = 5), w));

// ---- several steps: all of them count, and memory between them is what lives at one time
#define WORKSPACE(N, EXTENTS, ...) static_assert(attend::plan_of<decltype(__VA_ARGS__)>::workspace EXTENTS == (N))
#define STEPS(N, ...) static_assert(attend::plan_of<decltype(__VA_ARGS__)>::steps == (N))
#define EXTENTS (b = 2, n = 8, s = 128, t = 256)
STEPS(1, softmax(x) * v);
WORKSPACE(0, EXTENTS, softmax(x) * v);
STEPS(2, softmax(q * transpose(k)));
WORKSPACE(4 * scores, EXTENTS, softmax(q * transpose(k)));
FLOPS(scores * (2 * 64 + 4), EXTENTS, softmax(q * transpose(k)));
STEPS(2, merge(softmax(x) * rename(v, e, d), n, d, c) * of<float>(c = 256_c, f = 512_c));
WORKSPACE(4 * 2l * 8 * 128 * 32, EXTENTS, merge(softmax(x) * rename(v, e, d), n, d, c) * of<float>(c = 256_c, f = 512_c));
FLOPS(scores * (2 * 64 + 2 * 32) + 2 * 2l * 128 * 256 * 512, EXTENTS, merge(softmax(x) * rename(v, e, d), n, d, c) * of<float>(c = 256_c, f = 512_c));
#undef EXTENTS
// three products in a row: two buffers; four in a row: still two, the first place is free again
auto a0 = of<float>(s = 8, c = 16_c);
auto a1 = of<float>(c = 16_c, f = 16_c);
auto a2 = of<float>(f = 16_c, e = 16_c);
auto a3 = of<float>(e = 16_c, w = 16_c);
auto a4 = of<float>(w = 16_c, t = 16_c);
STEPS(3, as_written(a0 * a1 * a2 * a3));
WORKSPACE(2 * 4 * 100l * 16, (s = 100), as_written(a0 * a1 * a2 * a3));
STEPS(4, as_written(a0 * a1 * a2 * a3 * a4));
WORKSPACE(2 * 4 * 100l * 16, (s = 100), as_written(a0 * a1 * a2 * a3 * a4));
// places begin at cache lines
WORKSPACE(64, (s = 1), relu(a0 * a1) * a2);

// ---- the order of products
// long data goes through maps that are made one first, by two products whose sums are f64
#define MADE_ONE (2 * 2 * 16 * 16 * 2)
auto narrow = of<float>(e = 16_c, w = 2_c);
auto long_rows = of<float>(s = 4096_c, c = 16_c);
STEPS(3, long_rows * a1 * a2 * narrow);
FLOPS(MADE_ONE + 2 * 4096l * 16 * 2, (), long_rows * a1 * a2 * narrow);
FLOPS(2 * 4096l * 16 * (16 + 16 + 2), (), as_written(long_rows * a1 * a2 * narrow));
// and short data, whose length only the caller knows, goes through one after another
FLOPS(MADE_ONE + 2 * 5000l * 16 * 2, (s = 5000), a0 * a1 * a2 * narrow);
FLOPS(2 * 3l * 16 * (16 + 16 + 2), (s = 3), a0 * a1 * a2 * narrow);
// what is as cheap as written stays as it is
auto much = of<float>(f = 16_c, e = 64_c);
STEPS(2, a0 * a1 * much);
FLOPS(2 * 5000l * 16 * (16 + 64), (s = 5000), a0 * a1 * much);
static_assert(std::is_same_v<decltype(attend::codegen::planned_form(softmax(x) * v)), decltype(attend::codegen::normal_form(softmax(x) * v))>);

// ---- merged dims of a chain are no copies
auto picture = of<float>(b = 2, c = 3_c, s = 8_c, t = 9_c);
auto to_features = of<float>(c = 3_c, f = 16_c);
STEPS(1, merge(contract(picture, to_features, c), s, t, w));
STEPS(1, split(merge(contract(picture, to_features, c), s, t, w), w, s = 8_c, t = 9_c));

// ---- blocks
auto tokens = of<float>(s = 8, c = 16_c);
auto to_hidden = of<float>(c = 16_c, f = 1024_c);
auto from_hidden = of<float>(f = 1024_c, c = 16_c);
#define BLOCKS(N, EXTENTS, ...) static_assert(attend::plan_of<decltype(__VA_ARGS__)>::blocks EXTENTS == (N))
BLOCKS(1, (s = 2048), gelu(tokens * to_hidden) * from_hidden);
BLOCKS(3, (s = 2049), gelu(tokens * to_hidden) * from_hidden);
WORKSPACE(4 * 1024 * 1024l, (s = 1000000), gelu(tokens * to_hidden) * from_hidden);
BLOCKS(1, (s = 1000000), gelu(tokens * to_hidden));                              // nothing lies in between
BLOCKS(1, (s = 1000000), softmax(gelu(tokens * to_hidden) * from_hidden, s));    // the softmax needs all of them

} // namespace
