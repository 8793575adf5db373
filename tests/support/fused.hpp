// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Evaluates by one fused kernel and by nothing else. `evaluate` also has the unfused route and the oracle compiled,
// which would take a test of very many expressions minutes.
#pragma once
#include <attend/attend.hpp>
#include <stdexcept>
#include <tuple>

namespace attend::test {

/// How many of several trees run by themselves; the others are results of those.
template <class Trees, class Outs>
inline constexpr int kernels = [] {
  int count = 0;
  for (int turn : codegen::detail::order<Trees, Outs>{}.turn) count += turn >= 0;
  return count;
}();

/// Writes expressions, of which the first is attention, to views of their dims.
template <class... Out, class First, class... E>
void fused_into(std::tuple<Out...> const& outs, First const& first, E const&... rest) {
  require_fused(first);
  std::apply(
      [&](auto const&... out) {
        auto const trees = [&](auto const&... node) {
          return std::make_tuple(detail::with_result_lengths(codegen::normal_form(node), out)...);
        }(detail::lift(first), detail::lift(rest)...);
        std::apply([&](auto const&... tree) { (codegen::detail::check_lookups(tree, out), ...); }, trees);
        static_assert(kernels<std::remove_cv_t<decltype(trees)>, std::tuple<Out...>> == 1);
        if (!codegen::run_together(codegen::detail::host_machine{}, trees, outs)) throw std::logic_error("these results are of different tensors");
      },
      outs);
}

/// The values of expressions, of which the first is attention.
template <class... E>
auto fused(E const&... e) {
  auto results = std::make_tuple(detail::result_for(codegen::detail::host_machine{}, detail::lift(e))...);
  std::apply([&](auto&... out) { fused_into(std::make_tuple(out.view()...), e...); }, results);
  return results;
}

} // namespace attend::test
