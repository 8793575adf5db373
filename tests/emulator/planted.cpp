// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels that are wrong on purpose: each mistake is caught, in order and in random orders, with a sentence that names
// the kernel, the block, the threads and the line. And kernels that are right, of which nothing is said.
#include "planted.hpp"
#include <attend/kernels/cuda/ptx.cuh>

namespace {

namespace ptx = attend::kernels::cuda::ptx;
namespace emulator = attend::emulator;

constexpr int threads = 128, shared_bytes = threads * 16;

std::uint32_t cell(int i) { return ptx::dynamic_shared() + 16 * static_cast<std::uint32_t>(i); }

__global__ void copies_without_waiting(float const* in, float* out) {
  int const t = ptx::thread_index();
  ptx::copy_async<16>(cell(t), in + 4 * t, true);
  ptx::copy_async_commit();
  out[t] = ptx::load_shared<float>(cell(t));
  ptx::copy_async_wait<0>();
}
__global__ void waits_for_too_few(float const* in, float* out) {
  int const t = ptx::thread_index();
  ptx::copy_async<16>(cell(t), in + 4 * t, true);
  ptx::copy_async_commit();
  ptx::copy_async_wait<1>();
  ptx::block_barrier();
  out[t] = ptx::load_shared<float>(cell(t ^ 1));
  ptx::copy_async_wait<0>();
}
__global__ void never_waits(float const* in, float*) {
  int const t = ptx::thread_index();
  ptx::copy_async<16>(cell(t), in + 4 * t, true);
  ptx::copy_async_commit();
}
__global__ void never_commits(float const* in, float*) {
  int const t = ptx::thread_index();
  ptx::copy_async<16>(cell(t), in + 4 * t, true);
}
__global__ void waits_without_barrier(float const* in, float* out) {
  int const t = ptx::thread_index();
  ptx::copy_async<16>(cell(t), in + 4 * t, true);
  ptx::copy_async_commit();
  ptx::copy_async_wait<0>();
  out[t] = ptx::load_shared<float>(cell(t ^ 1));
}
__global__ void exchanges_without_barrier(float const* in, float* out) {
  int const t = ptx::thread_index();
  ptx::store_shared(cell(t), in[t]);
  out[t] = ptx::load_shared<float>(cell(t ^ 1));
}
__global__ void exchanges_across_a_shuffle(float const* in, float* out) { // which orders no memory
  int const t = ptx::thread_index();
  ptx::store_shared(cell(t), in[t]);
  float const x = ptx::shuffle_xor(1.0f, 1);
  out[t] = x * ptx::load_shared<float>(cell(t ^ 1));
}
__global__ void overwrites_what_others_read(float const* in, float* out) {
  int const t = ptx::thread_index();
  ptx::store_shared(cell(t), in[t]);
  ptx::block_barrier();
  out[t] = ptx::load_shared<float>(cell(t ^ 1));
  ptx::store_shared(cell(t), 0.0f);
}
__global__ void reads_what_nobody_wrote(float const*, float* out) { out[ptx::thread_index()] = ptx::load_shared<float>(cell(ptx::thread_index())); }
__global__ void writes_outside_shared(float const* in, float*) { ptx::store_shared(cell(ptx::thread_index() + 1), in[0]); }
__global__ void loads_a_matrix_outside_shared(float const*, float*) {
  std::uint32_t r[4];
  ptx::load_matrix(r, cell(ptx::thread_index() - 1));
}
__global__ void copies_from_outside(float const* in, float*) {
  int const t = ptx::thread_index();
  ptx::copy_async<16>(cell(t), in + 4 * t + 4, true);
  ptx::copy_async_commit();
  ptx::copy_async_wait<0>();
}
__global__ void copies_unaligned(float const* in, float*) {
  ptx::copy_async<16>(cell(ptx::thread_index()), in + 1, true);
  ptx::copy_async_commit();
  ptx::copy_async_wait<0>();
}
// Each thread is right alone; two are not ordered.
[[maybe_unused]] __global__ void races_in_global(float const*, float* out) {
  int const t = ptx::thread_index();
  out[t / 2] = static_cast<float>(t);
}
__global__ void reads_outside_global(float const* in, float* out) { out[ptx::thread_index()] = in[4 * ptx::thread_index() + 4]; }
__global__ void writes_outside_global(float const* in, float* out) { out[ptx::thread_index() + 1] = in[0]; }
__global__ void shuffles_in_a_branch(float const*, float* out) {
  if (ptx::thread_index() % 32 < 16) out[0] = ptx::shuffle_xor(1.0f, 1);
}
__global__ void meets_elsewhere(float const*, float* out) {
  int const t = ptx::thread_index();
  if (t % 32 < 16) out[t] = ptx::shuffle_xor(1.0f, 1);
  else out[t] = static_cast<float>(ptx::ballot(true));
}
__global__ void barrier_in_a_branch(float const*, float*) {
  if (ptx::thread_index() < 96) ptx::block_barrier();
}
__global__ void two_barriers(float const*, float*) {
  if (ptx::thread_index() < 64) ptx::block_barrier();
  else ptx::block_barrier();
}
__global__ void waits_for_each_other(float const*, float* out) { // one half for the block, the other for its warp
  int const t = ptx::thread_index();
  if (t % 32 == 5) ptx::block_barrier();
  out[t] = ptx::shuffle_xor(1.0f, 1);
  if (t % 32 != 5) ptx::block_barrier();
}

__global__ void exchanges_with_barriers(float const* in, float* out) {
  int const t = ptx::thread_index();
  ptx::copy_async<16>(cell(t), in + 4 * t, true);
  ptx::copy_async_commit();
  ptx::copy_async_wait<0>();
  ptx::block_barrier();
  float const x = ptx::load_shared<float>(cell(t ^ 1));
  ptx::block_barrier();
  ptx::store_shared(cell(t), x);
  ptx::block_barrier();
  out[t] = ptx::load_shared<float>(cell(t ^ 64));
}

using kernel = void(float const*, float*);
using mistake = attend::emulated::mistake<kernel>;

/// What the emulator says of a kernel in a grid of one block.
std::string said_of(char const* name, kernel* k, std::uint64_t seed) {
  emulator::global_memory in("in", threads * 16), out("out", threads * 4);
  emulator::settings options;
  options.seed = seed;
  return attend::emulated::said_while(options, [&] {
    static_cast<void>(ptx::launch({name, dim3(1), threads, shared_bytes, nullptr}, k, reinterpret_cast<float const*>(in.data()),
                                  reinterpret_cast<float*>(out.data())));
  });
}

mistake const mistakes[] = {
    {NAMED(copies_without_waiting), "reads shared memory at byte [0-9]+ before the wait for the copy that thread [0-9]+ began at planted.cpp:[0-9]+"},
    {NAMED(waits_for_too_few), "reads shared memory at byte [0-9]+ before the wait for the copy that thread [0-9]+ began at planted.cpp:[0-9]+"},
    {NAMED(never_waits), "began a copy that it never waits for"},
    {NAMED(never_commits), "began a copy that is in no group when the thread ends"},
    {NAMED(waits_without_barrier), "reads shared memory at byte [0-9]+, (which thread [0-9]+ wrote with no barrier between|which nothing has written)"},
    {NAMED(exchanges_without_barrier), "reads shared memory at byte [0-9]+, (which thread [0-9]+ wrote with no barrier between|which nothing has written)"},
    {NAMED(exchanges_across_a_shuffle), "reads shared memory at byte [0-9]+, which thread [0-9]+ wrote with no barrier between"},
    {NAMED(overwrites_what_others_read), "(reads|writes) shared memory at byte [0-9]+, which thread [0-9]+ (read|wrote) with no barrier between"},
    {NAMED(reads_what_nobody_wrote), "reads shared memory at byte [0-9]+, which nothing has written"},
    {NAMED(writes_outside_shared), "writes shared memory at byte 2048, 4 bytes, outside the block's 2048"},
    {NAMED(loads_a_matrix_outside_shared), "reads shared memory at byte -?[0-9]+, (16 bytes, outside the block's 2048|which nothing has written)"},
    {NAMED(copies_from_outside), "copies from global memory 0 bytes behind the end of 'in' .2048 bytes."},
    {NAMED(copies_unaligned), "copies from an address that is not aligned to 16 bytes"},
    {NAMED(shuffles_in_a_branch), "deadlock; threads [-,0-9]+ have ended; threads [-,0-9]+ wait in a shuffle at planted.cpp:[0-9]+"},
    {NAMED(meets_elsewhere), "came to (a ballot|a shuffle) while [0-9]+ lanes of its warp are in (a shuffle|a ballot) at planted.cpp:[0-9]+"},
    {NAMED(barrier_in_a_branch), "deadlock; threads 96-127 have ended; threads 0-95 wait in a barrier of the block at planted.cpp:[0-9]+"},
    {NAMED(two_barriers), "came to a barrier while [0-9]+ threads of its block are in the one at planted.cpp:[0-9]+"},
    {NAMED(waits_for_each_other), "deadlock; threads .* wait in a barrier of the block at planted.cpp:[0-9]+; threads .* wait in a shuffle"},
};

class planted : public testing::TestWithParam<mistake> {};
TEST_P(planted, is_caught) {
  auto const& [name, what, sentence] = GetParam();
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    attend::emulated::expect_said(said_of(name, what, seed), name, "planted.cpp", sentence);
  }
}
INSTANTIATE_TEST_SUITE_P(mistakes, planted, testing::ValuesIn(mistakes), [](auto const& info) { return info.param.name; });

// What no instruction passes through ends the program.
TEST(planted_DeathTest, global_read_outside) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(said_of(NAMED(reads_outside_global), 0),
               "kernel reads_outside_global, block .0,0,0.: thread 127 touches memory 0 bytes behind the end of 'in' .2048 bytes.");
}
TEST(planted_DeathTest, global_write_outside) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(said_of(NAMED(writes_outside_global), 0), "kernel writes_outside_global, block .0,0,0.: thread 127 touches memory 0 bytes behind the end of 'out' .512 bytes.");
}

// What the emulator has no eye for, global memory that threads share, the thread sanitizer sees.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
TEST(planted_DeathTest, race_in_global_memory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        said_of(NAMED(races_in_global), 0);
        std::exit(0); // the sanitizer makes its own status of this
      },
      testing::ExitedWithCode(66), "data race(.|\n)*races_in_global");
}
#endif
#endif

TEST(right, nothing_is_said) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(said_of(NAMED(exchanges_with_barriers), seed), "");
}
TEST(right, a_launch_after_a_mistake) {
  EXPECT_NE(said_of(NAMED(barrier_in_a_branch), 0), "");
  EXPECT_EQ(said_of(NAMED(exchanges_with_barriers), 3), "");
}

} // namespace
