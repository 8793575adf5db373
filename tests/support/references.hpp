// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Results beside what PyTorch made of the same module in float64 (tests/references/make_references.py).
#pragma once
#include <attend/kernels/reference/array.hpp>
#include <attend/nn/parameters.hpp>
#include <attend/nn/safetensors.hpp>
#include <filesystem>
#include <support/routes.hpp>

namespace attend::test {

/// A file of references, by the name of the module.
inline nn::safetensors references(std::string const& module) {
  return nn::safetensors(std::filesystem::path(__FILE__).parent_path().parent_path() / "references" / (module + ".safetensors"));
}

/// One tensor of such a file, its dims in PyTorch's order: reference<double>(file, "row_7.output", b = 3_c, s = 5_c, c = 512_c).
template <class T, class... E>
auto reference(nn::safetensors const& file, std::string const& name, E... e) {
  auto const elements = file.tensor<T>(name, {e.size()...});
  return view<T const>(elements.data(), e...);
}

/// x as a tensor of Expression's dims, in their order.
template <class Expression, class X>
auto in_order_of(X const& x) {
  return [&]<class... A>(shape<A...>) {
    auto y = uninitialized<typename X::value_type>((typename A::dim{} = x.extent(typename A::dim{}))...);
    evaluate(into(y), x);
    return y;
  }(typename detail::lifted<Expression const&>::shape{});
}

/// Holds an f32 result of any dims order against PyTorch's where the oracle's bounds, which add up the worst of every
/// rounding, would say little: after sums of these lengths, one of the other's results. Roundings of n terms add up to
/// lambda sqrt(n) units, except with a probability of 2 exp(-lambda^2 / 2) (Higham and Mary, "A New Approach to
/// Probabilistic Rounding Error Analysis", 2019); lambda is 6 here, and magnitudes are taken as the largest of the result.
template <class Result, class Torch>
void expect_torch_after(std::initializer_list<double> lengths, Result const& result, Torch const& torch, std::string const& what) {
  auto const have = in_order_of<Torch>(result);
  auto const want = in_order_of<Torch>(torch);
  ASSERT_EQ(have.size(), want.size()) << what;
  double largest = 0, roots = 0, error = 0;
  for (double const w : want) largest = std::max(largest, std::abs(w));
  for (double const n : lengths) roots += std::sqrt(n);
  for (long i = 0; i < want.size(); ++i) error = std::fmax(error, std::isnan(have.data()[i]) ? INFINITY : std::abs(static_cast<double>(have.data()[i]) - want.data()[i]));
  double const bound = 6 * 0x1p-24 * roots * largest;
  testing::Test::RecordProperty("error / bound, " + what, std::to_string(error / bound));
  EXPECT_LE(error, bound) << what << ", largest " << largest;
}

/// Holds a result of `expr`, its dims in any order, against PyTorch's. The two float64 computations are each as far from
/// the truth as rounding to 53 bits allows, 2^-29 of what 24 allow; the result may be as far as these, and where the
/// lengths of sums are given, as these allow.
template <class E, class Result, class Torch>
void expect_torch(E const& expr, Result const& result, Torch const& torch, std::string const& what, std::initializer_list<double> lengths = {}) {
  if (lengths.size() > 0) expect_torch_after(lengths, result, torch, what);
  auto const expected = oracle(expr);
  auto const want = in_order_of<E>(torch);
  auto const have = in_order_of<E>(result);
  ASSERT_EQ(expected.size(), want.size()) << what;
  ASSERT_EQ(have.size(), want.size()) << what;
  long wrong = 0;
  for (long i = 0; i < want.size(); ++i) {
    double const w = want.data()[i], h = static_cast<double>(have.data()[i]), o = expected[i].value, bound = expected[i].bound;
    if (std::isnan(w) && std::isnan(h) && std::isnan(o)) continue;
    bool const formula = std::abs(o - w) <= bound * 0x1p-28, close = std::abs(h - w) <= bound * (1 + 0x1p-28); // false of NaN and where undecided, NaN
    if ((formula && close && std::isfinite(bound)) || wrong++) continue;
    ADD_FAILURE() << what << ", element " << i << ": PyTorch " << w << ", the oracle " << o << ", the result " << h << ", allowed from PyTorch's " << bound;
  }
  EXPECT_EQ(wrong, 0) << what;
}

/// The same of an expression, evaluated by the fused and by the unfused route.
template <class E, class Torch>
void expect_torch_by_routes(E const& expr, Torch const& torch, std::string const& what, std::initializer_list<double> lengths = {}) {
  for (char const* name : {"fused", "thrust"}) {
    route_in_scope const by(name);
    expect_torch(expr, evaluate(expr), torch, what + " by route " + name, lengths);
  }
}

/// Whether a tensor that was drawn here is the one that PyTorch was given, or some of it.
template <class X, class Torch>
void expect_same_input(X const& x, Torch const& torch, std::string const& what) {
  auto const given = in_order_of<X>(torch);
  auto const drawn = in_order_of<X>(x);
  ASSERT_EQ(given.size(), drawn.size()) << what;
  for (long i = 0; i < given.size(); ++i) ASSERT_EQ(static_cast<double>(drawn.data()[i]), given.data()[i]) << what << ", element " << i;
}

} // namespace attend::test
