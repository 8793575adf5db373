// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the generated score functions call: extents around the tiles of the fused kernel, numbers that are huge, infinite
// and NaN, and one fused kernel judged by the oracle.
#pragma once
#include "harness.hpp"
#include "support/fused.hpp"

namespace attend::random_test {

/// One draw of extents, storage and values for an attention.
class score_drawing : public drawing {
public:
  static constexpr int draws = 12;

  explicit score_drawing(std::uint64_t seed)
      : drawing(seed), kind_(chance(0.6)   ? kind::plain
                             : chance(0.4) ? kind::huge
                                           : kind::special) {}

  /// Extents of a batch dim, of the queries, of the keys, and of the rows of queries, keys or values.
  long batch(long least) {
    long const n = drawing::batch(least);
    repeats_ *= std::max(n, 1l);
    return n;
  }
  long queries(long least) {
    long n = pick({0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 33, 40, 65, 70}, 0.04);
    if (repeats_ < 4 && chance(0.06)) n = pick({127, 129, 130, 140}, 0.3);
    return noted(std::max(least, repeats_ > 4 ? std::min(n, 23l) : n));
  }
  long keys(long least) {
    return noted(std::max(
        least,
        pick({0, 1, 2, 3, 5, 6, 7, 13, 40, 64, 65, 100, 127, 128, 129, 131, 200, 255, 257, 263, 300, 389, 520}, 0.03)));
  }
  long depth(long least) {
    return noted(std::max(least, pick({0, 1, 2, 3, 5, 7, 8, 9, 16, 17, 24, 33, 64, 65}, 0.03)));
  }

  template <class T, class... E>
  auto numbers(E... e) {
    return spoiled<T>(normal(1), e...);
  }
  /// Finite, though huge now and then. Values are: whether those of dropped keys are read is not said, and zero times
  /// infinity is NaN.
  template <class T, class... E>
  auto values(E... e) {
    return finite<T>(normal(1), e...);
  }
  template <class T, class... E>
  auto small(E... e) {
    return finite<T>(normal(0.2), e...);
  }
  /// With minus infinity here and there, or nearly everywhere, which masks; infinite scores are not to meet it.
  template <class T, class... E>
  auto bias(E... e) {
    return kind_ == kind::plain ? filled<T>(with_infinities(normal(1)), e...) : finite<T>(normal(1), e...);
  }
  /// Never spoiled.
  template <class T, class... E>
  auto factors(E... e) {
    return filled<T>(normal(1), e...);
  }
  /// Runs of what is kept and what is not, so that tiles are of every kind.
  template <class T, class... E>
  auto conditions(E... e) {
    return filled<T>(runs(), e...);
  }
  /// Ids that grow, far beyond what a float tells apart.
  template <class T, class... E>
  auto documents(E... e) {
    return filled<T>(growing(), e...);
  }

  /// Holds what one fused kernel computes against the oracle.
  template <class... E>
  void check(E const&... e) {
    auto const results = test::fused(e...);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (check_one(oracle(e), std::get<I>(results).view(), "result " + std::to_string(I)), ...);
    }(std::index_sequence_for<E...>{});
  }

private:
  enum class kind { plain, huge, special };

  using source = std::function<double()>;

  source normal(double deviation) {
    return [this, deviation] { return std::normal_distribution<double>(0, deviation)(bits_); };
  }
  source with_infinities(source const& value) {
    double const share = chance(0.5) ? 0 : chance(0.8) ? 0.2 : 0.97;
    return [=, this] { return chance(share) ? -std::numeric_limits<double>::infinity() : value(); };
  }
  source runs() {
    double const turn = chance(0.5) ? 0.5 : 0.02;
    return [this, turn, now = chance(0.7)]() mutable { return (now = now != chance(turn)) ? 1.0 : 0.0; };
  }
  source growing() {
    return [this, id = static_cast<double>(1l << 40)]() mutable { return id += chance(0.03); };
  }
  template <class T, class... E>
  auto finite(source const& value, E... e) {
    return kind_ == kind::special ? filled<T>(value, e...) : spoiled<T>(value, e...);
  }
  template <class T, class... E>
  auto spoiled(source const& value, E... e) {
    return filled<T>(spoiled(value, (e.size() * ... * 1l), std::is_same_v<T, f16> ? 2e4 : 1e17), e...);
  }
  // Some of the leaves: a tenth of their numbers huge and tiny, or about two of them no numbers.
  source spoiled(source const& value, long size, double much) {
    if (kind_ == kind::plain || chance(0.5)) return value;
    if (kind_ == kind::huge)
      return [=, this] { return chance(0.1) ? value() * (chance(0.5) ? much : 1 / much) : value(); };
    double const share = std::min(0.5, 2.0 / static_cast<double>(std::max(size, 1l)));
    return [=, this] { return chance(share) ? no_number() : value(); };
  }
  double no_number() {
    return chance(0.34) ? std::nan("") : std::copysign(std::numeric_limits<double>::infinity(), chance(0.5) ? 1 : -1);
  }

  // Infinities meet and differ by rounding, so that only plain numbers have to be decided.
  void check_one(kernels::reference::array const& expected, auto const& result, std::string const& what) {
    if (kind_ == kind::plain) count(expected);
    judge(expected, result, what);
  }

  kind kind_;
  long repeats_ = 1;
};

} // namespace attend::random_test
