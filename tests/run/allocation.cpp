// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// evaluate(into(out), x) allocates nothing once a thread has its workspace: every allocation of this program is counted.
#include <attend/attend.hpp>
#include <cstdlib>
#include <gtest/gtest.h>
#include <new>

namespace {
thread_local long allocations = 0;

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  if (void* const p = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)) return p;
  throw std::bad_alloc();
}
} // namespace

[[gnu::noinline]] void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t a) { return counted(size, static_cast<std::size_t>(a)); }
[[gnu::noinline]] void* operator new[](std::size_t size) { return counted(size, alignof(std::max_align_t)); }
[[gnu::noinline]] void* operator new[](std::size_t size, std::align_val_t a) { return counted(size, static_cast<std::size_t>(a)); }
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace {

using namespace attend::dims;
using namespace attend::literals;

template <class Out, class E>
long allocations_of(Out& out, E const& expr) {
  evaluate(attend::into(out), expr); // the thread's own memory is made here
  long const before = allocations;
  evaluate(attend::into(out), expr);
  return allocations - before;
}

TEST(allocation, counts) {
  long const before = allocations;
  auto const x = attend::zeros<float>(s = 3);
  EXPECT_GT(allocations, before);
}

TEST(allocation, none_by_fused_attention) {
  auto const q = attend::normal<float>(b = 2, n = 3, s = 70, d = 64_c);
  auto const k = attend::normal<float>(b = 2, n = 3, t = 90, d = 64_c);
  auto const v = attend::normal<float>(b = 2, n = 3, t = 90, e = 32_c);
  auto const bias = attend::normal<float>(s = 70, t = 90);
  auto out = attend::uninitialized<float>(b = 2, n = 3, s = 70, e = 32_c);
  EXPECT_EQ(allocations_of(out, softmax(q * transpose(k) / 8) * v), 0);
  EXPECT_EQ(allocations_of(out, softmax(masked(q * transpose(k) / 8 + bias, keep(causal(s, t)))) * v), 0);
  auto const cache = attend::normal<float>(b = 2, n = 3, t = 900, d = 64_c);
  auto const last = attend::normal<float>(b = 2, n = 3, s = 1, d = 64_c);
  auto decoded = attend::uninitialized<float>(b = 2, n = 3, s = 1, d = 64_c);
  EXPECT_EQ(allocations_of(decoded, softmax(last * transpose(cache) / 8) * cache), 0);
}

TEST(allocation, none_by_one_pass) {
  auto const x = attend::normal<float>(s = 70, d = 64_c);
  auto out = attend::uninitialized<float>(s = 70, d = 64_c);
  EXPECT_EQ(allocations_of(out, exp(x) * 2), 0);
}

TEST(allocation, none_by_passes_over_rows) {
  auto const x = attend::normal<float>(s = 70, t = 64_c);
  auto out = attend::uninitialized<float>(s = 70, t = 64_c);
  auto sums = attend::uninitialized<float>(s = 70);
  EXPECT_EQ(allocations_of(out, softmax(x)), 0);
  EXPECT_EQ(allocations_of(sums, sum(x, t)), 0);
  auto const long_rows = attend::normal<float>(s = 2, t = 1 << 20); // shared out by chunks
  auto long_sums = attend::uninitialized<float>(s = 2);
  EXPECT_EQ(allocations_of(long_sums, sum(long_rows, t)), 0);
}

} // namespace
