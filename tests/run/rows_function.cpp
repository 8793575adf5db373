// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The plain function on (32, 8, 128, 64) in bf16, and the two routes on the same input.
#include <cmath>
#include <cstdio>
#include <support/routes.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;

TEST(plain_function, rows_22_and_23_both_routes_on_32_8_128_64) {
  auto const q = attend::normal<attend::bf16>(attend::seed{1}, b = 32, n = 8, s = 128, d = 64_c);
  auto const k = attend::normal<attend::bf16>(attend::seed{2}, b = 32, n = 8, t = 128, d = 64_c);
  auto const v = attend::normal<attend::bf16>(attend::seed{3}, b = 32, n = 8, t = 128, d = 64_c);
  auto const attention = [&](auto const& x, auto const& y, auto const& z) { return softmax(x * transpose(y) * (1 / std::sqrt(64.))) * z; };
  auto const expr = attention(q, k, v);
  static_assert(attend::is_fused<decltype(expr)>);
  auto const fused = evaluate(expr);
  attend::test::route_in_scope const by("thrust");
  auto const unfused = evaluate(expr);
  double sum = 0;
  for (long i = 0; i < fused.size(); ++i) sum += std::abs(static_cast<double>(fused.data()[i]) - static_cast<double>(unfused.data()[i]));
  double const mean = sum / static_cast<double>(fused.size());
  std::printf("mean absolute difference %.3e\n", mean);
  // either result is off by a rounding of the weights and one of itself: two ulp of bf16 of values of size 0.1
  EXPECT_LT(mean, 2 * 0x1p-8 * 0.1);
  EXPECT_GT(mean, 0) << "the two routes are one";
  for (long i : {0l, 13l, 31l}) { // the oracle of a part: every batch entry is computed alone
    auto const part = attention(at(q, b, i), at(k, b, i), at(v, b, i));
    auto const expected = attend::oracle(part);
    attend::test::expect_within(expected, evaluate(at(fused, b, i)), "fused");
    attend::test::expect_within(expected, evaluate(at(unfused, b, i)), "unfused");
  }
}

TEST(plain_function, row_24_the_environment_names_the_route) {
  auto const x = attend::normal<float>(s = 4, d = 8);
  for (char const* name : {"fused", "thrust", "reference", ""}) {
    attend::test::route_in_scope const by(name);
    EXPECT_NO_THROW(evaluate(softmax(x * transpose(x)) * x)) << name;
  }
  attend::test::route_in_scope const by("flash");
  try {
    evaluate(softmax(x * transpose(x)) * x);
    FAIL();
  } catch (attend::argument_error const& e) {
    for (char const* known : {"fused", "thrust", "reference", "flash"}) EXPECT_NE(std::string(e.what()).find(known), std::string::npos) << e.what();
  }
}

TEST(plain_function, row_25_no_workspace_grows_with_the_scores) {
  for (long length : {1024l, 4096l, 65536l}) {
    auto const q = attend::zeros<float>(s = length, d = 8);
    auto const expr = softmax(q * transpose(q)) * q;
    EXPECT_NE(explain(expr).find("workspace 0 B"), std::string::npos);
  }
}

} // namespace
