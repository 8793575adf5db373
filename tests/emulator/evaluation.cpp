// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whole evaluations of expressions in device memory, their kernels executed by the emulator: the language, the plan, the
// launches and the kernels together against the float64 oracle.
#include <attend/cuda.cuh>
#include <attend/kernels/reference/compare.hpp>
#include <emulator/runtime.hpp>
#include <gtest/gtest.h>
#include <support/device_cases.hpp>

namespace attend {
namespace {

using namespace attend::dims;
using namespace attend::literals;

template <class T, class... A>
std::vector<double> values_of(tensor<T, struct host, A...> const& x) {
  std::vector<double> values;
  for (T const& v : x) values.push_back(static_cast<double>(v));
  return values;
}
template <class E, class R>
void expect_within(E const& expr, R const& result, char const* what) {
  auto const report = kernels::reference::compare(oracle(expr), values_of(copy_to(host, result)));
  EXPECT_TRUE(report.good()) << what << ": " << report.message;
  EXPECT_LT(report.undecided, std::max(1l, report.elements)) << what;
}
/// f of tensors: its value on the device against the oracle's of the same tensors on the host.
template <class F, class... X>
void expect_right(char const* what, F const& f, X const&... x) {
  expect_within(f(x...), [&](auto const&... y) { return evaluate(f(y...)); }(copy_to(cuda, x)...), what);
}

TEST(device_memory, there_and_back) {
  auto const x = normal<float>(s = 3, d = 5_c);
  auto const y = copy_to(cuda, x);
  static_assert(std::is_same_v<decltype(y)::space, struct cuda> && std::is_same_v<decltype(y)::shape, decltype(x)::shape>);
  EXPECT_NE(y.data(), x.data());
  auto const z = copy_to(host, y);
  for (long i = 0; i < x.size(); ++i) EXPECT_EQ(z.data()[i], x.data()[i]);
  auto const turned = copy_to(host, copy_to(cuda, view(x.data(), strides(d = 1, s = 5), d = 5, s = 3)));
  for (long i = 0; i < 3; ++i)
    for (long k = 0; k < 5; ++k) EXPECT_EQ(turned(s = i, d = k), x(s = i, d = k));
  auto const part = copy_to(host, view<float const, cuda>(y.data() + 1, strides(s = 5), s = 3)); // gathered on the device
  for (long i = 0; i < 3; ++i) EXPECT_EQ(part(s = i), x(s = i, d = 1));
  EXPECT_EQ(copy_to(host, copy_to(cuda, zeros<float>(s = 0, d = 4))).size(), 0);
  EXPECT_EQ(copy_to(host, exp(copy_to(cuda, zeros<double>(s = 2))))(s = 1), 1);
  EXPECT_EQ(copy_to(host, uninitialized<bf16, cuda>(s = 7)).size(), 7);
}

TEST(device_memory, is_given_back) {
  {
    auto const x = copy_to(cuda, normal<float>(s = 3, d = 5));
    auto const y = evaluate(softmax(exp(x) * 2) + 1);
    EXPECT_FALSE(emulator::device_memory.empty());
  }
  EXPECT_TRUE(emulator::device_memory.empty());
}

constexpr auto check = [](char const* what, auto const& f, auto const&... x) { expect_right(what, f, x...); };
TEST(cases, passes) { device_cases::passes(check); }
TEST(cases, look_ups) { device_cases::look_ups(check); }
TEST(cases, reductions) { device_cases::reductions(check); }
TEST(cases, normalisations) { device_cases::normalisations(check); }
TEST(cases, products) {
  emulator::matrix_products = emulator::finished_products = 0;
  device_cases::products(check);
  EXPECT_GE(emulator::matrix_products, 13); // the others are reductions: of f64, over two dims that lie apart, of nothing
  EXPECT_GE(emulator::finished_products, 12);
  EXPECT_GT(emulator::matrix_products, emulator::finished_products); // a pass finishes some
}
TEST(cases, attentions) { device_cases::attentions(check); }
TEST(cases, fused) { // those that a device runs longer, of more types and head dims
  namespace of = device_cases::scores;
  device_cases::fused<bf16>(check, "bf16", {2, 1, 2, 20, 150}, 80_c, of::full, of::causal, of::window, of::softcap, of::alibi, of::padding);
}

TEST(cases, attentions_on_sm_90) {
  emulator::options.sm_90 = true;
  emulator::counts = {};
  device_cases::attentions(check);
  EXPECT_GT(emulator::counts.warpgroup_products, 0);
  EXPECT_GT(emulator::counts.products, 0); // what the kernel of sm_90 leaves to that of sm_80
  emulator::counts = {};
  namespace of = device_cases::scores;
  device_cases::fused<bf16>(check, "bf16", {2, 1, 2, 20, 150}, 80_c, of::full, of::causal, of::window, of::softcap, of::padding);
  EXPECT_GT(emulator::counts.warpgroup_products, 0);
  EXPECT_EQ(emulator::counts.products, 0);
  emulator::options = {};
}

TEST(attention, routes) {
  auto const q = normal<f16>(s = 20, d = 32_c);
  auto const k = normal<f16>(t = 37, d = 32_c);
  auto const causally = [](auto const& a, auto const& c) { return softmax(masked(a * transpose(c) / 6, keep(causal(s, t)))) * c; };
  static_assert(is_fused<decltype(causally(copy_to(cuda, q), copy_to(cuda, k)))>);
  setenv("ATTEND_ATTENTION", "thrust", 1);
  expect_right("unfused", causally, q, k);
  setenv("ATTEND_ATTENTION", "reference", 1);
  EXPECT_THROW(expect_right("reference", causally, q, k), argument_error);
  unsetenv("ATTEND_ATTENTION");
}
TEST(attention, several_results) {
  auto const q = normal<bf16>(b = 2, s = 20, d = 32_c);
  auto const k = normal<bf16>(b = 2, t = 37, d = 32_c);
  auto const v = normal<bf16>(b = 2, t = 37, d = 32_c);
  auto const dq = copy_to(cuda, q);
  auto const dk = copy_to(cuda, k);
  auto const dv = copy_to(cuda, v);
  auto const on_device = dq * transpose(dk) / 6;
  auto const on_host = q * transpose(k) / 6;
  auto const [o, w] = evaluate(softmax(on_device) * dv, softmax(on_device));
  expect_within(softmax(on_host) * v, o, "attention with its weights");
  expect_within(softmax(on_host), w, "weights");
  auto const [p, l] = evaluate(softmax(on_device) * dv, logsumexp(on_device));
  expect_within(softmax(on_host) * v, p, "attention with its log-sum-exps");
  expect_within(logsumexp(on_host), l, "log-sum-exps");
}

TEST(into, allocates_nothing) {
  auto const q = normal<f16>(s = 20, d = 32_c);
  auto const k = normal<f16>(t = 37, d = 32_c);
  auto const dq = copy_to(cuda, q);
  auto const dk = copy_to(cuda, k);
  auto const expr = softmax(sigmoid(dq * transpose(dk)) * 2); // a product, then rows
  using plan = plan_of<decltype(expr)>;
  long const bytes = plan::workspace(s = 20, t = 37);
  EXPECT_GT(bytes, 0);
  cuda_workspace const enough(bytes), less(bytes - 64);
  auto out = uninitialized<f16, cuda>(s = 20, t = 37);
  emulator::runtime = {};
  evaluate(on(nullptr, enough), into(out), expr);
  EXPECT_EQ(emulator::runtime.allocations + emulator::runtime.in_stream + emulator::runtime.copies + emulator::runtime.waits, 0);
  expect_within(softmax(sigmoid(q * transpose(k)) * 2), out, "a caller's workspace");
  EXPECT_THROW(evaluate(on(nullptr, less), into(out), expr), argument_error);
  emulator::runtime = {};
  evaluate(on(nullptr), into(out), expr);
  EXPECT_EQ(emulator::runtime.in_stream, 1);
  EXPECT_EQ(emulator::runtime.allocations + emulator::runtime.copies + emulator::runtime.waits, 0);
  auto turned = uninitialized<f16, cuda>(t = 37, s = 20);
  evaluate(on(nullptr, enough), into(turned), expr);
  auto const a = copy_to(host, out);
  auto const c = copy_to(host, turned);
  for (long i = 0; i < 20; ++i)
    for (long j = 0; j < 37; ++j) EXPECT_EQ(float(a(s = i, t = j)), float(c(s = i, t = j)));
}
TEST(into, what_overlaps_is_computed_aside) {
  auto const x = normal<float>(s = 6, t = 6);
  auto y = copy_to(cuda, x);
  evaluate(into(y), exp(y));
  expect_within(exp(x), y, "in place");
  y = copy_to(cuda, x);
  evaluate(into(y), y + rename(rename(rename(y, s, d), t, s), d, t)); // with its transpose
  expect_within(x + rename(rename(rename(x, s, d), t, s), d, t), y, "across");
}

TEST(errors, name_the_call) {
  emulator::runtime = {};
  emulator::runtime.fails = "cudaMalloc";
  try {
    static_cast<void>(copy_to(cuda, ones<float>(s = 3)));
    ADD_FAILURE() << "no error";
  } catch (cuda_error const& e) {
    EXPECT_STREQ(e.what(), "cudaMalloc failed: cudaErrorMemoryAllocation: out of memory");
  }
  auto const d_x = [] {
    emulator::runtime = {};
    return copy_to(cuda, ones<float>(s = 3, t = 4));
  }();
  emulator::runtime.fails = "cudaMallocAsync";
  auto out = uninitialized<float, cuda>(s = 3);
  EXPECT_NO_THROW(evaluate(into(out), sum(d_x, t))); // needs none
  emulator::runtime = {};
}

} // namespace
} // namespace attend
