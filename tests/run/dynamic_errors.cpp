// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every error of the run time: its type, its words - the operation, the dimension, both extents - and that nothing is
// written where one is thrown, on every route.
#include <attend/attend.hpp>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::index;
using attend::into;

/// Sets ATTEND_ATTENTION while it lives.
struct forced_route {
  explicit forced_route(char const* name) { setenv("ATTEND_ATTENTION", name, 1); }
  ~forced_route() { unsetenv("ATTEND_ATTENTION"); }
};
char const* const routes[] = {"fused", "thrust", "reference"};

template <class Error, class F>
void expect_words(F const& f, std::vector<std::string> const& words) {
  try {
    f();
    ADD_FAILURE() << "nothing was thrown; expected: " << words[0];
  } catch (Error const& error) {
    for (auto const& word : words) EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << "'" << word << "' is missing in: " << error.what();
  }
}

/// On every route: the error with its words, and the result that was to be written is as it was.
template <class Error, class Out, class E>
void expect_error(Out& out, E const& x, std::vector<std::string> const& words) {
  for (char const* name : routes) {
    SCOPED_TRACE(name);
    forced_route const route(name);
    std::fill(out.begin(), out.end(), typename Out::value_type(7));
    expect_words<Error>([&] { evaluate(into(out), x); }, words);
    for (auto const& y : out) ASSERT_EQ(y, typename Out::value_type(7));
    expect_words<Error>([&] { static_cast<void>(evaluate(x)); }, words);
  }
}
template <class Out, class E>
void expect_shape_error(Out& out, E const& x, std::vector<std::string> const& words) {
  expect_error<attend::shape_error>(out, x, words);
  expect_words<attend::shape_error>([&] { static_cast<void>(attend::explain(x)); }, words); // an explanation is checked too
}

class dynamic_errors : public ::testing::Test {
protected:
  attend::tensor<float, struct attend::host, attend::axis<struct attend::dims::b, attend::dynamic>, attend::axis<struct attend::dims::s, attend::dynamic>, attend::axis<struct attend::dims::d, attend::dynamic>>
      q = attend::normal<float>(b = 2, s = 3, d = 8);
  decltype(q) out = attend::zeros<float>(b = 2, s = 3, d = 8);
};

// ---- two operands that disagree: the operation, the dim, both extents

TEST_F(dynamic_errors, product) {
  auto const k = attend::normal<float>(b = 2, t = 5, d = 16);
  auto scores = attend::zeros<float>(b = 2, s = 3, t = 5);
  expect_shape_error(scores, q * transpose(k), {"operator*(x, y)", "'d'", "8", "16"});
  expect_shape_error(scores, contract(q, k, d), {"contract(x, y, dim)", "'d'", "8", "16"});
  auto const other_batch = attend::normal<float>(b = 4, t = 5, d = 8);
  expect_shape_error(scores, q * transpose(other_batch), {"operator*(x, y)", "'b'", "2", "4"});
  auto const static_depth = attend::normal<float>(b = 2, t = 5, d = 16_c);
  expect_shape_error(scores, q * transpose(static_depth), {"operator*(x, y)", "'d'", "8", "16"});
}

TEST_F(dynamic_errors, attention) {
  auto const k = attend::normal<float>(b = 2, t = 5, d = 8);
  auto const v = attend::normal<float>(b = 2, t = 6, d = 8);
  expect_shape_error(out, softmax(q * transpose(k)) * v, {"operator*(x, y)", "'t'", "5", "6"});
  auto const bias = attend::normal<float>(s = 4, t = 5);
  auto const w = attend::normal<float>(b = 2, t = 5, d = 8);
  expect_shape_error(out, softmax(q * transpose(k) + bias) * w, {"operator+(x, y)", "'s'", "3", "4"});
  auto const pad = attend::zeros<bool>(b = 3, t = 5);
  expect_shape_error(out, softmax(masked(q * transpose(k), drop(pad))) * w, {"masked(x, y)", "'b'", "2", "3"});
  auto const lengths = attend::full<std::int32_t>(2, b = 1);
  expect_shape_error(out, softmax(masked(q * transpose(k), drop(attend::padding(t, lengths)))) * w, {"masked(x, y)", "'b'", "2", "1"}); // one is no wildcard
}

TEST_F(dynamic_errors, elementwise) {
  auto const x = attend::normal<float>(b = 2, s = 5, d = 8);
  auto const shorter = attend::normal<float>(s = 4);
  expect_shape_error(out, q + x, {"operator+(x, y)", "'s'", "3", "5"});
  expect_shape_error(out, q - x, {"operator-(x, y)", "'s'", "3", "5"});
  expect_shape_error(out, q / x, {"operator/(x, y)", "'s'", "3", "5"});
  expect_shape_error(out, hadamard(q, shorter), {"(x, y)", "'s'", "3", "4"});
  expect_shape_error(out, max(q, x), {"max(x, y)", "'s'", "3", "5"});
  expect_shape_error(out, min(x, q), {"min(x, y)", "'s'", "5", "3"});
  expect_shape_error(out, pow(q, shorter), {"pow(x, y)", "'s'", "3", "4"});
  expect_shape_error(out, where(q < x, q, 0), {"operator<(x, y)", "'s'", "3", "5"});
  expect_shape_error(out, where(q < 0, q, x), {"where(x, y, z)", "'s'", "3", "5"});
  expect_shape_error(out, where(q < 0, x, 0), {"where(x, y, z)", "'s'", "3", "5"});
  expect_shape_error(out, q * attend::ones<float>(b = 3), {"operator*(x, y)", "'b'", "2", "3"});
  expect_shape_error(out, exp(-(q + x)) * 2, {"operator+(x, y)", "'s'", "3", "5"}); // deep inside
  auto kept = attend::zeros<bool>(b = 2, s = 3, d = 8);
  expect_shape_error(kept, q < 0 && x < 0, {"operator&&(x, y)", "'s'", "3", "5"});
  expect_shape_error(kept, q == x, {"operator==(x, y)", "'s'", "3", "5"});
}

TEST_F(dynamic_errors, below_reductions_and_views) {
  auto const x = attend::normal<float>(b = 2, s = 5, d = 8);
  auto row = attend::zeros<float>(b = 2, s = 3);
  expect_shape_error(row, sum(q + x, d), {"operator+(x, y)", "'s'", "3", "5"});
  expect_shape_error(out, softmax(q + x), {"operator+(x, y)", "'s'", "3", "5"});
  expect_shape_error(out, attend::dropout(q + x, 0.5, 1), {"operator+(x, y)", "'s'", "3", "5"});
  expect_shape_error(out, rename(rename(q, s, t) + rename(x, s, t), t, s), {"operator+(x, y)", "'t'", "3", "5"}); // by the name it had there
  auto const table = attend::normal<float>(b = 3, w = 10, d = 8);
  auto const ids = attend::zeros<std::int32_t>(b = 2, s = 3);
  expect_shape_error(out, gather(table, ids, w), {"gather(table, ids)", "'b'", "2", "3"});
}

// ---- views

TEST_F(dynamic_errors, slice_and_at) {
  expect_shape_error(out, slice(q, s, 1, 9), {"slice(x, s, 1, 9)", "'s'", "3"});
  expect_shape_error(out, slice(q, s, -1, 2), {"slice(x, s, -1, 2)", "'s'", "3"});
  expect_shape_error(out, slice(q, s, 2, 1), {"slice(x, s, 2, 1)", "'s'", "3"});
  expect_shape_error(out, slice(q, d, 0_c, 9_c), {"slice(x, d, 0, 9)", "'d'", "8"});
  auto batch = attend::zeros<float>(b = 2, d = 8);
  expect_shape_error(batch, at(q, s, 3), {"at(x, s, 3)", "'s'", "3"});
  expect_shape_error(batch, at(q, s, -1), {"at(x, s, -1)", "'s'", "3"});
  expect_shape_error(batch, at(q, s, 3_c), {"at(x, s, 3)", "'s'", "3"});
  expect_shape_error(batch, at(exp(q), s, 7), {"at(x, s, 7)", "'s'", "3"});
}

TEST_F(dynamic_errors, split) {
  int const heads = 3;
  auto parts = attend::zeros<float>(b = 2, s = 3, n = 3, e = 2);
  expect_shape_error(parts, split(q, d, n = heads, e), {"split(x, d, parts...)", "'d'", "8", "3"});
  expect_shape_error(parts, split(q, d, n = 3_c, e), {"split(x, d, parts...)", "'d'", "8", "3"});
  expect_shape_error(parts, split(q, d, n = 2, e = 3), {"split(x, d, parts...)", "'d'", "8", "6"});
  expect_shape_error(parts, split(q, d, n = 0, e), {"split(x, d, parts...)", "'d'", "8", "0"});
  expect_words<attend::shape_error>([&] { static_cast<void>(evaluate(split(q, d, n = -2, e = 4))); }, {"'n'", "-2"});
}

// ---- tensors

TEST_F(dynamic_errors, extents) {
  expect_words<attend::shape_error>([] { static_cast<void>(attend::zeros<float>(b = 2, s = -3)); }, {"'s'", "-3", "at least 0"});
  expect_words<attend::shape_error>([] { static_cast<void>(attend::normal<float>(b = -1, s = 3)); }, {"'b'", "-1"});
  float memory[4] = {};
  expect_words<attend::shape_error>([&] { static_cast<void>(attend::view(memory, s = -4)); }, {"'s'", "-4"});
  expect_words<attend::shape_error>([] { static_cast<void>(attend::values({1.f, 2.f, 3.f}, s = 2, d = 2)); }, {"values(list, dims...)", "4", "3"});
  expect_words<attend::shape_error>([&] { static_cast<void>(attend::copy_of(std::span<float const>(memory), s = 5)); }, {"copy_of(elements, dims...)", "5", "4"});
  EXPECT_THROW(static_cast<void>(attend::uninitialized<double>(b = std::numeric_limits<long>::max())), std::bad_alloc);
}

// ---- arguments

TEST_F(dynamic_errors, dropout) {
  for (double p : {-0.1, 1.0, 1.5, std::nan("")}) expect_words<attend::argument_error>([&] { static_cast<void>(attend::dropout(q, p, 1)); }, {"dropout(x, p, seed)", "0 <= p < 1"});
  EXPECT_NO_THROW(static_cast<void>(evaluate(attend::dropout(q, 0.0, 1))));
}

TEST_F(dynamic_errors, unknown_route) {
  forced_route const route("quick");
  std::fill(out.begin(), out.end(), 7.f);
  expect_words<attend::argument_error>([&] { evaluate(into(out), exp(q)); }, {"ATTEND_ATTENTION", "'fused'", "'thrust'", "'reference'", "'quick'"});
  for (float y : out) ASSERT_EQ(y, 7.f);
  expect_words<attend::argument_error>([&] { static_cast<void>(evaluate(q * transpose(q), exp(q))); }, {"'quick'"});
}

TEST_F(dynamic_errors, no_route_named_is_the_default) {
  forced_route const route("");
  EXPECT_EQ(attend::route_from_environment(), attend::route::fused);
}

// ---- look-ups

TEST_F(dynamic_errors, ids) {
  auto const table = attend::normal<float>(w = 10, d = 8);
  for (std::int64_t wrong : {-1l, 10l, 1l << 40}) {
    auto ids = attend::zeros<std::int64_t>(b = 2, s = 3);
    ids(b = 1, s = 2) = wrong;
    expect_error<attend::index_error>(out, gather(table, ids, w), {"gather(table, ids)", "'w'", "10", std::to_string(wrong)});
    expect_error<attend::index_error>(out, exp(gather(table, ids, w)) + q, {"gather(table, ids)", "'w'", "10", std::to_string(wrong)});
    expect_error<attend::index_error>(out, softmax(gather(table, ids, w)), {"gather(table, ids)", std::to_string(wrong)});
    auto const k = rename(gather(table, ids, w), s, t);
    expect_error<attend::index_error>(out, softmax(q * transpose(k)) * k, {"gather(table, ids)", std::to_string(wrong)});
  }
  auto const nothing = attend::normal<float>(w = 0, d = 8);
  expect_error<attend::index_error>(out, gather(nothing, attend::zeros<std::int32_t>(b = 2, s = 3), w), {"'w'", "0"});
}

TEST_F(dynamic_errors, computed_ids) { // a relative bias whose table is too short
  auto const table = attend::normal<float>(w = 4);
  expect_error<attend::index_error>(out, softmax(q * transpose(rename(q, s, t)) + gather(table, index(t) - index(s) + 2, w)) * rename(q, s, t), {"gather(table, ids)", "'w'", "4"});
}

// ---- results

TEST_F(dynamic_errors, into_other_extents) {
  auto longer = attend::zeros<float>(b = 2, s = 4, d = 8);
  for (char const* name : routes) {
    forced_route const route(name);
    std::fill(longer.begin(), longer.end(), 7.f);
    expect_words<attend::shape_error>([&] { evaluate(into(longer), exp(q)); }, {"evaluate(into(out), x)", "'s'", "3", "4"});
    for (float y : longer) ASSERT_EQ(y, 7.f);
  }
}

TEST_F(dynamic_errors, nothing_of_several_results_is_written) {
  auto const x = q * transpose(rename(q, s, t));
  auto narrow = attend::zeros<float>(b = 2, s = 3, t = 2);
  auto const table = attend::normal<float>(w = 10, d = 8);
  auto ids = attend::zeros<std::int64_t>(b = 2, s = 3);
  ids(b = 1, s = 2) = 10;
  auto second = attend::zeros<float>(b = 2, s = 3, d = 8);
  auto const other = attend::normal<float>(b = 2, s = 5, d = 8);
  for (char const* name : routes) {
    SCOPED_TRACE(name);
    forced_route const route(name);
    std::fill(out.begin(), out.end(), 7.f);
    std::fill(second.begin(), second.end(), 7.f);
    expect_words<attend::shape_error>([&] { evaluate(into(out, narrow), softmax(x) * rename(q, s, t), softmax(x)); }, {"evaluate(into(out), x)", "'t'", "3", "2"});
    expect_words<attend::shape_error>([&] { evaluate(into(out, second), exp(q), q + other); }, {"operator+(x, y)", "'s'", "3", "5"});
    expect_words<attend::index_error>([&] { evaluate(into(out, second), exp(q), gather(table, ids, w)); }, {"gather(table, ids)", "10"});
    for (float y : out) ASSERT_EQ(y, 7.f);
    for (float y : second) ASSERT_EQ(y, 7.f);
  }
}

TEST_F(dynamic_errors, errors_are_of_the_standard_kinds) {
  EXPECT_THROW(static_cast<void>(evaluate(slice(q, s, 1, 9))), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(attend::dropout(q, 2, 1)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(evaluate(gather(q, attend::full<std::int32_t>(3, t = 1), s))), std::out_of_range);
}

} // namespace
