// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A product of two matrices through shared memory, by the layouts that the hardware's manual gives: what the emulator
// takes for rows and columns is what the kernels do.
#include <attend/kernels/cuda/ptx.cuh>
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace {

namespace ptx = attend::kernels::cuda::ptx;
namespace emulator = attend::emulator;

// One warp: c (16, 16) = a (16, 16) b (16, 16). b is read as it lies, or as the transpose of what lies there.
template <class T, bool Transposed>
__global__ void product(T const* a, T const* b, float* c) {
  int const lane = ptx::thread_index();
  std::uint32_t const left = ptx::dynamic_shared(), right = left + 512;
  for (int i = lane; i < 32; i += 32) {
    ptx::copy_async<16>(left + 16 * static_cast<std::uint32_t>(i), a + 8 * i, true);
    ptx::copy_async<16>(right + 16 * static_cast<std::uint32_t>(i), b + 8 * i, true);
  }
  ptx::copy_async_commit();
  ptx::copy_async_wait<0>();
  ptx::block_barrier();
  auto const row = [&](std::uint32_t tile, int r, int eighth) { return tile + static_cast<std::uint32_t>(32 * r + 16 * eighth); };
  std::uint32_t x[4], y[4];
  ptx::load_matrix(x, row(left, lane % 16, lane / 16));
  if constexpr (Transposed) ptx::load_matrix(y, row(right, lane % 8 + lane / 16 * 8, lane / 8 % 2)); // rows are columns of b
  else ptx::load_matrix_transposed(y, row(right, lane % 16, lane / 16));
  float d[2][4] = {};
  ptx::product_m16n8k16<T>(d[0], x, {y[0], y[1]});
  ptx::product_m16n8k16<T>(d[1], x, {y[2], y[3]});
  for (int n = 0; n < 2; ++n)
    for (int i = 0; i < 4; ++i) c[(lane / 4 + 8 * (i / 2)) * 16 + 8 * n + 2 * (lane % 4) + i % 2] = d[n][i];
}

template <class T>
T rounded(float x) {
  if constexpr (std::is_same_v<T, attend::bf16>) return __float2bfloat16_rn(x);
  else return __float2half_rn(x);
}
float number(attend::bf16 x) { return __bfloat162float(x); }
float number(attend::f16 x) { return __half2float(x); }

template <class T>
class instructions : public testing::Test {};
using types = testing::Types<attend::bf16, attend::f16>;
TYPED_TEST_SUITE(instructions, types);

TYPED_TEST(instructions, products_of_matrices) {
  using T = TypeParam;
  emulator::global_memory a("a", 512), b("b", 512), c("c", 1024);
  T *const pa = reinterpret_cast<T*>(a.data()), *const pb = reinterpret_cast<T*>(b.data());
  float* const pc = reinterpret_cast<float*>(c.data());
  for (int i = 0; i < 256; ++i) pa[i] = rounded<T>(static_cast<float>(i % 37) - 11.5f), pb[i] = rounded<T>(static_cast<float>(i % 23) * 0.25f - 3);
  for (bool transposed : {false, true})
    for (std::uint64_t seed : {0, 1, 2}) {
      emulator::options.seed = seed;
      ASSERT_EQ(ptx::launch({"product", dim3(1), 32, 1024, nullptr}, transposed ? product<T, true> : product<T, false>, pa, pb, pc), cudaSuccess);
      for (int i = 0; i < 16; ++i)
        for (int j = 0; j < 16; ++j) {
          double sum = 0;
          for (int k = 0; k < 16; ++k) sum += static_cast<double>(number(pa[16 * i + k])) * number(transposed ? pb[16 * j + k] : pb[16 * k + j]);
          ASSERT_EQ(pc[16 * i + j], static_cast<float>(sum)) << i << ' ' << j; // exact: few bits
        }
    }
  emulator::options.seed = 0;
}

// c (16, 8) = a (16, 8) b^T (8, 8), of numbers of 11 bits.
__global__ void product_of_f32(float const* a, float const* b, float* c) {
  int const lane = ptx::thread_index(), row = lane / 4, column = lane % 4;
  std::uint32_t const x[4] = {ptx::to_tf32(a[8 * row + column]), ptx::to_tf32(a[8 * row + 64 + column]),
                              ptx::to_tf32(a[8 * row + column + 4]), ptx::to_tf32(a[8 * row + 64 + column + 4])};
  float d[4] = {};
  ptx::product_m16n8k8(d, x, {ptx::to_tf32(b[8 * row + column]), ptx::to_tf32(b[8 * row + column + 4])});
  for (int i = 0; i < 4; ++i) c[(row + 8 * (i / 2)) * 8 + 2 * column + i % 2] = d[i];
}
TEST(instructions_f32, products_of_matrices) {
  emulator::global_memory a("a", 512), b("b", 256), c("c", 512);
  float *const pa = reinterpret_cast<float*>(a.data()), *const pb = reinterpret_cast<float*>(b.data()), *const pc = reinterpret_cast<float*>(c.data());
  for (int i = 0; i < 128; ++i) pa[i] = static_cast<float>(i * 31 % 113) - 50;
  for (int i = 0; i < 64; ++i) pb[i] = static_cast<float>(i * 17 % 59) - 20;
  ASSERT_EQ(ptx::launch({"product of f32", dim3(1), 32, 0, nullptr}, product_of_f32, pa, pb, pc), cudaSuccess);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      float sum = 0;
      for (int k = 0; k < 8; ++k) sum += pa[8 * i + k] * pb[8 * j + k];
      ASSERT_EQ(pc[8 * i + j], sum) << i << ' ' << j;
    }
  EXPECT_EQ(ptx::to_tf32(1 + 0x1p-11f), ptx::as_bits(1 + 0x1p-10f)); // halfway
  EXPECT_EQ(ptx::to_tf32(1 + 0x1p-12f), ptx::as_bits(1));
}

TEST(exponential, flushes_what_is_denormal) {
  EXPECT_EQ(ptx::exp2(0), 1);
  EXPECT_EQ(ptx::exp2(-126), 0x1p-126f);
  EXPECT_EQ(ptx::exp2(-127), 0);
  EXPECT_EQ(ptx::exp2(-INFINITY), 0);
  EXPECT_TRUE(std::isnan(ptx::exp2(NAN)));
}

} // namespace
