// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An expression has the same plan in the host's memory and in a device's: the same steps, costs and workspace.
#include <attend/language.hpp>
#include <attend/plan.hpp>
#include <string_view>

namespace {

using namespace attend::dims;
using namespace attend::literals;

template <class T, class Space, class... E>
auto in(Space, E... e) {
  return attend::view<T const, Space>(static_cast<T const*>(nullptr), e...);
}

template <class A, class B>
constexpr bool same_plan() {
  using P = attend::plan_of<A>;
  using Q = attend::plan_of<B>;
  static_assert(std::is_same_v<typename A::space, struct attend::host> && std::is_same_v<typename B::space, struct attend::cuda>);
  return std::string_view(P::pattern) == Q::pattern && P::steps == Q::steps && P::fused == Q::fused && P::flops(s = 5) == Q::flops(s = 5) &&
         P::bytes(s = 5) == Q::bytes(s = 5) && P::workspace(s = 5) == Q::workspace(s = 5);
}

// f of operands in either memory
template <class F>
constexpr bool same(F) {
  return same_plan<decltype(std::declval<F>()(attend::host)), decltype(std::declval<F>()(attend::cuda))>();
}

template <class T, class Space>
auto q(Space space) { return in<T>(space, b = 2_c, n = 4_c, s = 5, d = 64_c); }
template <class T, class Space>
auto k(Space space) { return in<T>(space, b = 2_c, n = 4_c, t = 8_c, d = 64_c); }

#define SAME(...) static_assert(same([](auto space) { return __VA_ARGS__; }))

SAME(softmax(q<float>(space) * transpose(k<float>(space)) / 8) * k<float>(space));
SAME(softmax(masked(q<attend::bf16>(space) * transpose(k<attend::bf16>(space)) / 8, keep(causal(s, t)))) * k<attend::bf16>(space));
SAME(softmax(q<double>(space) * transpose(k<double>(space)) / 8) * k<double>(space));
SAME(attend::dropout(softmax(30 * tanh(q<attend::f16>(space) * transpose(k<attend::f16>(space)) / 30)), 0.1, 1) * k<attend::f16>(space));
SAME(softmax(sigmoid(q<float>(space) * transpose(k<float>(space)))));
SAME(gelu(q<float>(space) * transpose(k<float>(space)) + in<float>(space, t = 8_c)));
SAME(gelu_tanh(q<attend::bf16>(space) * transpose(k<attend::bf16>(space)) + in<attend::bf16>(space, t = 8_c)));
SAME(q<float>(space) * transpose(k<float>(space)) * k<float>(space));
SAME(q<float>(space) - mean(q<float>(space), d));
SAME(logsumexp(exp(q<float>(space)), d));
SAME(exp(q<float>(space)) * 2 + index(s));
SAME(gather(in<float>(space, w = 10_c, d = 64_c), in<std::int32_t>(space, s = 5), w));

// but the fused kernel of CUDA has a softmax
template <class Space>
auto without_softmax(Space space) { return sigmoid(q<float>(space) * transpose(k<float>(space))) * k<float>(space); }
static_assert(attend::plan_of<decltype(without_softmax(attend::host))>::steps == 1);
static_assert(attend::plan_of<decltype(without_softmax(attend::cuda))>::steps == 2);

// and cuBLASLt rounds sums to 16 bits before a function that it lacks, so that they are stored in f32
template <class Space>
auto with_gelu(Space space) { return gelu(q<attend::bf16>(space) * transpose(k<attend::bf16>(space)) + in<attend::bf16>(space, t = 8_c)); }
static_assert(attend::plan_of<decltype(with_gelu(attend::host))>::workspace(s = 5) == 0);
static_assert(attend::plan_of<decltype(with_gelu(attend::cuda))>::workspace(s = 5) == 2 * 4 * 5 * 8 * 4);
template <class Space>
auto with_residual(Space space) { return relu(q<attend::bf16>(space) * transpose(k<attend::bf16>(space))) + in<attend::bf16>(space, b = 2_c, n = 4_c, s = 5, t = 8_c); }
static_assert(attend::plan_of<decltype(with_residual(attend::host))>::steps == 1);
static_assert(attend::plan_of<decltype(with_residual(attend::cuda))>::steps == 2);

} // namespace
