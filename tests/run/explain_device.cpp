// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What explain says of expressions in device memory: which of the device's kernels their layouts are for. Nothing runs.
#include <attend/attend.hpp>
#include <gtest/gtest.h>

namespace {

using namespace attend::dims;
using namespace attend::literals;

alignas(16) attend::bf16 memory[8];

template <class T, class... E>
auto device(E... e) {
  return attend::view<T const, attend::cuda>(static_cast<T const*>(static_cast<void const*>(memory)), e...);
}
template <class T>
auto q() { return device<T>(b = 2, n = 4, s = 100, d = 64_c); }
template <class T>
auto k() { return device<T>(b = 2, n = 4, t = 200, d = 64_c); }
template <class T, class Q, class K>
std::string said_of(Q const& q, K const& k) {
  return attend::explain(softmax(masked(q * transpose(k) / 8, keep(causal(s, t)))) * k);
}
bool says(std::string const& said, char const* what) { return said.find(what) != std::string::npos; }

TEST(explain, of_warpgroups) {
  EXPECT_PRED2(says, said_of<attend::bf16>(q<attend::bf16>(), k<attend::bf16>()), "on sm_90 the kernel of warpgroups, elsewhere that of sm_80\n");
}
TEST(explain, of_f32) {
  EXPECT_PRED2(says, said_of<float>(q<float>(), k<float>()), "on sm_90, too, the kernel of sm_80: operands and result are not of 16 bits\n");
}
TEST(explain, of_keys_that_tma_cannot_copy) {
  auto const rows_of_68 = device<attend::f16>(b = 2, n = 4, t = 200, d = 68);
  auto const said = attend::explain(softmax(device<attend::f16>(b = 2, n = 4, s = 100, d = 64) * transpose(slice(rows_of_68, d, 0, 64)) / 8) * k<attend::f16>());
  EXPECT_PRED2(says, said, "on sm_90, too, the kernel of sm_80: TMA cannot copy the keys' layout\n");
}
TEST(explain, below_a_projection) {
  auto const heads = softmax(q<attend::bf16>() * transpose(k<attend::bf16>()) / 8) * k<attend::bf16>();
  EXPECT_PRED2(says, attend::explain(contract(heads, device<attend::bf16>(d = 64_c, e = 32), d)), "on sm_90 the kernel of warpgroups");
}
TEST(explain, of_the_host) {
  float numbers[4] = {};
  auto const x = attend::view(static_cast<float const*>(numbers), s = 1, d = 4), y = attend::view(static_cast<float const*>(numbers), s = 1, d = 4);
  EXPECT_FALSE(says(attend::explain(x + y), "sm_90"));
}

} // namespace
