// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/attend.hpp>
using namespace attend::dims;
using namespace attend::literals;

// expected-error: evaluate(x) requires the extent of every dimension; index(dim) alone has none: combine it with a tensor that has 'dim'
// expected-note: dims_of_expression<t,s>
auto distance = evaluate(attend::index(t) - attend::index(s));
