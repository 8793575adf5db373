// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Element types and memory spaces of results: what a mixture gives, and that numbers adapt to what they meet.
#include "asserts.hpp"

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::bf16;
using attend::f16;
using attend::index;
using attend::laws::of;

auto f64s = of<double>(s = 4, d = 8);
auto f32s = of<float>(s = 4, d = 8);
auto bf16s = of<bf16>(s = 4, d = 8);
auto f16s = of<f16>(s = 4, d = 8);
auto i64s = of<std::int64_t>(s = 4, d = 8);
auto i32s = of<std::int32_t>(s = 4, d = 8);
auto bools = of<bool>(s = 4, d = 8);

// ---- a mixture is of the wider type; two different 16-bit floats meet in f32
TYPE(f32s + f32s, float);
TYPE(f32s + f64s, double);
TYPE(bf16s + f32s, float);
TYPE(f16s + bf16s, float);
TYPE(bf16s + bf16s, bf16);
TYPE(f16s + f16s, f16);
TYPE(i32s + i64s, std::int64_t);
TYPE(i32s + i32s, std::int32_t);
TYPE(i64s + bf16s, bf16);
TYPE(i32s + f64s, double);
template <class A, class B>
constexpr bool commutes = std::is_same_v<attend::promoted_t<A, B>, attend::promoted_t<B, A>>;
static_assert(commutes<float, double> && commutes<bf16, f16> && commutes<bf16, std::int64_t> && commutes<bool, float> && commutes<std::int32_t, std::int64_t>);

// ---- a number has no type of its own
TYPE(bf16s * 0.125, bf16);
TYPE(bf16s * 0.125f, bf16);
TYPE(2.0 * f16s, f16);
TYPE(f32s + 1, float);
TYPE(i32s + 1, std::int32_t);
TYPE(i32s + 1l, std::int32_t);
TYPE(i32s * 0.5, float);       // a fraction makes whole numbers floats
TYPE(f32s / bf16(2), float);

// ---- true division, also of whole numbers; functions give floats; conditions bool
TYPE(i64s / i64s, float);
TYPE(i32s / 2, float);
TYPE(exp(i32s), float);
TYPE(tanh(bf16s), bf16);
TYPE(abs(i32s), std::int32_t);
TYPE(-i64s, std::int64_t);
TYPE(max(i32s, 0), std::int32_t);
TYPE(f32s < 0, bool);
TYPE(bf16s >= bf16s, bool);
TYPE(i64s == 0, bool);
TYPE(bools == bools, bool);
TYPE(bools && f32s < 0, bool);
TYPE(!bools, bool);
TYPE(where(bools, bf16s, 0), bf16);
TYPE(where(bools, 0, f32s), float);
TYPE(where(bools, i32s, i64s), std::int64_t);
TYPE(where(bools, i32s, 0), std::int32_t);

// ---- positions are whole numbers until they meet another
TYPE(index(s), std::int64_t);
TYPE(index(t) - index(s), std::int64_t);
TYPE(index(t) <= index(s), bool);
TYPE(bf16s + index(s), bf16);
TYPE(0.5 * index(s), float);
TYPE(attend::length(s), std::int64_t);

// ---- products, reductions, normalisations
TYPE(bf16s * transpose(rename(bf16s, s, t)), bf16);
TYPE(bf16s * transpose(rename(f32s, s, t)), float);
TYPE(contract(f64s, f32s, d), double);
TYPE(sum(bf16s), bf16);
TYPE(sum(i32s), std::int32_t);
TYPE(max(i64s, s), std::int64_t);
TYPE(mean(i32s), float);
TYPE(mean(bf16s), bf16);
TYPE(logsumexp(f16s), f16);
TYPE(softmax(bf16s), bf16);
TYPE(softmax(i32s), float);
TYPE(masked(i32s, keep(bools)), float);
TYPE(masked(bf16s, keep(bools)), bf16);
TYPE(masked(bf16s, keep(bools), -1e9), bf16);
TYPE(attend::dropout(f16s, 0.5, 1), f16);
TYPE(gather(bf16s, of<std::int32_t>(b = 2), s), bf16);
TYPE(gather(bools, of<std::int64_t>(b = 2), s), bool);

// ---- casts, and views that change nothing
TYPE(attend::cast<bf16>(f32s), bf16);
TYPE(attend::cast<double>(bools), double);
TYPE(attend::cast<bool>(i32s), bool);
TYPE(transpose(bf16s), bf16);
TYPE(split(bools, d, n = 2_c, e), bool);
TYPE(merge(i32s, s, d, c), std::int32_t);
TYPE(slice(f16s, s, 0, 2), f16);
TYPE(at(f64s, s, 0), double);
TYPE(rename(f64s, s, t), double);

// ---- sums are kept wider than what is summed
static_assert(std::is_same_v<attend::accumulate_t<bf16>, float> && std::is_same_v<attend::accumulate_t<f16>, float>);
static_assert(std::is_same_v<attend::accumulate_t<float>, float> && std::is_same_v<attend::accumulate_t<double>, double>);
static_assert(std::is_same_v<attend::accumulate_t<std::int32_t>, std::int64_t>);

// ---- memory spaces: numbers and positions are anywhere
auto device = attend::view<float, attend::cuda>(nullptr, s = 4, d = 8);
auto device_strided = attend::view<float, attend::cuda>(nullptr, strides(s = 16, d = 2), s = 4, d = 8);
SPACE(device_strided, struct attend::cuda);
SPACE(f32s, struct attend::host);
SPACE(device, struct attend::cuda);
SPACE(index(s), attend::anywhere);
SPACE(device * 2 + index(s), struct attend::cuda);
SPACE(index(s) + device, struct attend::cuda);
SPACE(softmax(device * transpose(rename(device, s, t))) * rename(device, s, t), struct attend::cuda);
SPACE(masked(f32s, keep(index(s) < 2)), struct attend::host);
SPACE(where(index(s) < 2, 1, device), struct attend::cuda);
SPACE(gather(device, index(t), s), struct attend::cuda);

} // namespace
