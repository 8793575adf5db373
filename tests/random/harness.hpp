// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the generated expressions call: extents, dtypes and storage drawn at random, every route judged by the oracle.
#pragma once
#include "planned.hpp"
#include <attend/attend.hpp>
#include <attend/kernels/reference/compare.hpp>
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>
#include <random>

namespace attend::random_test {

// Dimensions as users declare them.
inline constexpr struct head final : dim<"head", role::batch, head> { using dim::operator=; } head;
inline constexpr struct word final : dim<"word", role::matrix, word> { using dim::operator=; } word;

/// One draw of extents, storage and values for an expression.
class drawing {
public:
  static constexpr int draws = 20;

  explicit drawing(std::uint64_t seed) : bits_(seed), special_(chance(0.15)), plain_(chance(0.4)) {}

  long elements = 0, undecided = 0;
  double worst = 0; // error in units of its bound

  /// An extent of a batch dim.
  long batch(long least) { return noted(std::max(least, pick({0, 1, 1, 2, 2, 3}, 0.03))); }
  /// An extent of one of `count` matrix dims: around the edges of tiles, smaller where there are many.
  long matrix(long least, int count) {
    long n = pick({0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65}, 0.03);
    if (count < 4 && chance(0.04)) n = pick({127, 128, 129, 257}, 0.3);
    if (count == 3) n = n > 17 && n < 100 && chance(0.7) ? n / 4 : n;
    if (count > 3) n = std::min(n, 7l);
    return noted(std::max(least, n));
  }

  /// A leaf of normal numbers.
  template <class T, class... E>
  auto numbers(E... e) {
    return filled<T>([&] { return std::normal_distribution<double>()(bits_); }, e...);
  }
  template <class T, class... E>
  auto small(E... e) {
    return filled<T>([&] { return std::normal_distribution<double>(0, 0.2)(bits_); }, e...);
  }
  template <class T, class... E>
  auto positive(E... e) {
    return filled<T>([&] { return std::uniform_real_distribution<double>(0.5, 2)(bits_); }, e...);
  }
  /// Normal numbers, now and then with minus infinity among them, which masks.
  template <class T, class... E>
  auto bias(E... e) {
    return filled<T>([&] { return special_ && chance(0.2) ? -std::numeric_limits<double>::infinity() : std::normal_distribution<double>()(bits_); }, e...);
  }
  template <class T, class... E>
  auto conditions(E... e) {
    double const share = chance(0.2) ? 0.95 : 0.4;
    return filled<T>([&] { return chance(share) ? 1.0 : 0.0; }, e...);
  }
  /// Whole numbers from 0 to limit, without it.
  template <class T, class... E>
  auto ids(long limit, E... e) {
    return filled<T>([&] { return static_cast<double>(std::uniform_int_distribution<long>(0, limit - 1)(bits_)); }, e...);
  }
  /// Whole numbers from 0 to limit.
  template <class T, class... E>
  auto lengths(long limit, E... e) {
    return filled<T>([&] { return static_cast<double>(std::uniform_int_distribution<long>(0, limit)(bits_)); }, e...);
  }

  /// Says that the expression spells a softmax out by hand: where nothing is kept its arithmetic gives NaN, and an
  /// implementation that knows it for a softmax, or masks last, may give zeros.
  void spelled_out() { spelled_out_ = true; }

  /// Judges every route's result of e, which has Rank dims. In the planner's order it may err twice as far as in the one
  /// that is written, whose bound the oracle gives.
  template <int Rank, class E>
  void check(E const& e) {
    static_assert(E::shape::rank == Rank, "the generator has lost track of the dims");
    auto expected = expectation(oracle(e));
    if constexpr (!std::is_same_v<decltype(codegen::normal_form(e)), decltype(codegen::planned_form(e))>)
      if (is_planned_otherwise<E>) {
        by_route(expected, as_written(e), "fused", "as written");
        for (double& bound : expected.bound) bound *= 2;
      }
    by_route(expected, e, "fused");
    if constexpr (is_fused<E>) by_route(expected, e, "thrust");
  }
  /// Two results at once, of which the second may stand inside the first.
  template <int Rank, class E, class Part>
  void check(E const& e, Part const& part) {
    static_assert(E::shape::rank == Rank, "the generator has lost track of the dims");
    auto const expected = expectation(oracle(e)), expected_part = expectation(oracle(part));
    for (char const* route : {"fused", "thrust"}) {
      setenv("ATTEND_ATTENTION", route, 1);
      auto const [out, weights] = evaluate(e, part);
      judge(expected, out.view(), std::string(route) + " route, first of two");
      judge(expected_part, weights.view(), std::string(route) + " route, second of two");
    }
  }

  std::string text() const { return extents_; }

protected:
  bool chance(double p) { return std::uniform_real_distribution<double>()(bits_) < p; }
  // The first of the list, where it is 0, is rare.
  long pick(std::initializer_list<long> list, double rare) {
    if (chance(rare)) return *list.begin();
    return *(list.begin() + std::uniform_int_distribution<std::size_t>(1, list.size() - 1)(bits_));
  }
  long noted(long n) {
    extents_ += ' ' + std::to_string(n);
    return n;
  }

  void count(kernels::reference::array const& expected) {
    elements += expected.size();
    undecided += std::count(expected.bound.begin(), expected.bound.end(), kernels::reference::infinity);
  }
  kernels::reference::array expectation(kernels::reference::array expected) {
    using kernels::reference::infinity;
    count(expected);
    if (spelled_out_)
      for (std::size_t i = 0; i < expected.values.size(); ++i)
        if (std::isnan(expected.values[i])) expected.bound[i] = infinity;
    return expected;
  }

  template <class E>
  void by_route(kernels::reference::array const& expected, E const& e, char const* route, std::string how = "") {
    setenv("ATTEND_ATTENTION", route, 1);
    if (how.empty()) how = std::string(route) + " route";
    auto const out = evaluate(e);
    judge(expected, out.view(), how);
    // and into storage of any layout
    [&]<class... A>(shape<A...>) {
      auto const into_here = blank<typename E::value_type>(false, extent_as<A>(out.extent(typename A::dim{}))...);
      evaluate(into(into_here), e);
      judge(expected, into_here.readable(), how + ", into a view");
    }(typename std::remove_cvref_t<decltype(out)>::shape{});
  }
  template <class T, class... A>
  void judge(kernels::reference::array const& expected, tensor_view<T, struct host, A...> const& out, std::string const& how) {
    judge(expected, out.data, {out.extents, out.extents + out.rank}, {out.strides, out.strides + out.rank}, how);
  }
  template <class T>
  void judge(kernels::reference::array const& expected, T const* data, kernels::reference::extents const& shape, kernels::reference::extents const& strides,
             std::string const& how) {
    std::vector<double> values;
    EXPECT_EQ(shape, expected.shape) << how;
    kernels::reference::for_each_position(shape, [&](auto const& at) { values.push_back(static_cast<double>(data[kernels::reference::offset(strides, at)])); });
    auto const report = kernels::reference::compare(expected, values);
    worst = std::max(worst, report.worst);
    EXPECT_EQ(report.wrong, 0) << how << ": " << report.message;
  }
  template <class A>
  static auto extent_as(long n) {
    if constexpr (A::extent >= 0) return extent<typename A::dim, A::extent>{};
    else return extent<typename A::dim, dynamic>{n};
  }

  // A view whose memory is laid out in any order, with gaps, backwards or, to be read only, repeated.
  struct layout {
    kernels::reference::extents strides;
    long first, size; // where position 0 lies
  };
  layout lay_out(kernels::reference::extents const& shape, bool may_repeat) {
    std::size_t const rank = shape.size();
    std::vector<std::size_t> order(rank);
    for (std::size_t i = 0; i < rank; ++i) order[i] = i;
    if (!plain_) std::shuffle(order.begin(), order.end(), bits_);
    layout r{kernels::reference::extents(rank), 0, 1};
    for (std::size_t i = rank; i-- > 0;) {
      std::size_t const a = order[i];
      long const gap = !plain_ && chance(0.3) ? std::uniform_int_distribution<long>(1, 3)(bits_) : 0;
      bool const repeated = may_repeat && !plain_ && chance(0.04), backwards = !plain_ && !repeated && chance(0.06);
      r.strides[a] = repeated ? 0 : backwards ? -r.size : r.size;
      if (backwards) r.first += r.size * std::max(shape[a] - 1, 0l);
      if (!repeated) r.size *= std::max(shape[a], 1l) + gap;
    }
    return r;
  }
  template <class T, class... D, long... N>
  auto filled(std::function<double()> const& value, extent<D, N>... e) {
    auto const v = blank<T>(true, e...);
    fill(v.data, {v.extents, v.extents + v.rank}, {v.strides, v.strides + v.rank}, value);
    return v.readable();
  }
  template <class T>
  static void fill(T* data, kernels::reference::extents const& shape, kernels::reference::extents const& strides, std::function<double()> const& value) {
    kernels::reference::for_each_position(shape, [&](auto const& at) { data[kernels::reference::offset(strides, at)] = element_of<T>(value()); });
  }
  template <class T, class... D, long... N>
  auto blank(bool may_repeat, extent<D, N>... e) {
    tensor_view<T, struct host, axis<D, N>...> v{{}, nullptr, {e.size()...}, {}};
    layout const l = lay_out({e.size()...}, may_repeat);
    std::copy(l.strides.begin(), l.strides.end(), v.strides);
    v.data = memory<T>(l.size) + l.first;
    return v;
  }
  template <class T>
  T* memory(long n) {
    auto const memory = std::make_shared<std::vector<slot<T>>>(static_cast<std::size_t>(n));
    memory_.push_back(memory);
    T* const start = reinterpret_cast<T*>(memory->data());
    std::fill(start, start + n, element_of<T>(std::nan("")));
    return start;
  }
  template <class T>
  struct slot {
    alignas(T) unsigned char bytes[sizeof(T)];
  };
  // What lies in the gaps is NaN, or for whole numbers far out of any range.
  template <class T>
  static T element_of(double x) {
    if constexpr (whole<T>) return std::isnan(x) ? static_cast<T>(1 << 30) : static_cast<T>(x);
    else if constexpr (std::same_as<T, bool>) return std::isnan(x) || x != 0;
    else return static_cast<T>(static_cast<float>(x));
  }

  std::mt19937_64 bits_;
  bool special_, plain_, spelled_out_ = false;
  std::string extents_;
  std::vector<std::shared_ptr<void>> memory_;
};

/// Draws an expression so many times; fails where more is left undecided than judged.
template <class Drawing>
void run(int number, void (*expression)(Drawing&)) {
  long elements = 0, undecided = 0;
  double worst = 0;
  for (int i = 0; i < Drawing::draws; ++i) {
    Drawing d(static_cast<std::uint64_t>(number) * 1000 + static_cast<std::uint64_t>(i));
    SCOPED_TRACE("draw " + std::to_string(i));
    expression(d);
    elements += d.elements;
    undecided += d.undecided;
    worst = std::max(worst, d.worst);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "extents" << d.text();
      return;
    }
  }
  testing::Test::RecordProperty("worst", std::to_string(worst));
  EXPECT_LE(undecided, elements / 20) << "rounding leaves too much of the expression undecided to judge it";
}

} // namespace attend::random_test
