// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One expression on two machines: the processor and a CUDA device. Without a device it says so.

// [machines]
#include <attend/cuda.cuh>
#include <iostream>

using namespace attend::dims;
using namespace attend::literals;

// Written once: where it runs is in the types of its operands.
auto attention(auto const& q, auto const& k, auto const& v, auto const& slope) {
  return softmax(masked(q * transpose(k) / 8 + slope * (index(t) - index(s)), keep(causal(s, t)))) * v;
}

int main() {
  auto q = attend::normal<attend::bf16>(b = 2, n = 8, s = 300, d = 64_c);
  auto k = attend::normal<attend::bf16>(b = 2, n = 8, t = 300, d = 64_c);
  auto v = attend::normal<attend::bf16>(b = 2, n = 8, t = 300, d = 64_c);
  auto slope = attend::uniform<float>(n = 8);
  auto on_host = evaluate(attention(q, k, v, slope)); // the processor's fused kernel

  try {
    auto dq = copy_to(attend::cuda, q);
    auto dk = copy_to(attend::cuda, k);
    auto dv = copy_to(attend::cuda, v);
    auto dslope = copy_to(attend::cuda, slope);
    auto expr = attention(dq, dk, dv, dslope);
    require_fused(expr);
    auto out = attend::uninitialized<attend::bf16, attend::cuda>(b = 2, n = 8, s = 300, d = 64_c);
    cudaStream_t stream = nullptr;                   // or one of yours
    evaluate(attend::on(stream), into(out), expr);   // the device's fused kernel; asynchronous, allocates nothing
    auto back = copy_to(attend::host, out);
    double mean = 0;
    for (long i = 0; i < back.size(); ++i) mean += std::abs(float(back.data()[i]) - float(on_host.data()[i])) / back.size();
    std::cout << "mean difference between processor and device: " << mean << '\n';
    return mean < 1. / 256 ? 0 : 1; // bf16 has 8 significant bits
  } catch (attend::cuda_error const& e) {
    std::cout << e.what() << '\n'; // host expressions run all the same
    return on_host.size() == 2 * 8 * 300 * 64 ? 0 : 1;
  }
}
// [/machines]
