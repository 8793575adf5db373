// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What both units evaluate: expressions of the same types, of tensors that one unit makes and both read.
#pragma once
#include <attend/attend.hpp>
#include <utility>

namespace isa {

using namespace attend::dims;

struct operands {
  decltype(attend::zeros<float>(s = 1, d = 1)) q;
  decltype(attend::zeros<float>(t = 1, d = 1)) k;
  decltype(attend::zeros<float>(t = 1, e = 1)) v;
};
inline auto attention(operands const& x) {
  return softmax(masked(x.q * transpose(x.k) * 0.3, keep(attend::causal(s, t)))) * x.v;
}
inline auto product(operands const& x) { return contract(x.q, x.k, d); }
inline auto pass(operands const& x) { return exp(hadamard(x.q, attend::index(s)) / 70) * 2 + 1; }

template <auto Of>
using expression = decltype(Of(std::declval<operands const&>()));
template <auto Of>
using result = decltype(evaluate(std::declval<expression<Of> const&>()));

/// By portable.cpp.
result<attention> evaluated_without_flags(expression<attention> const& x);
result<product> evaluated_without_flags(expression<product> const& x);
result<pass> evaluated_without_flags(expression<pass> const& x);

} // namespace isa
