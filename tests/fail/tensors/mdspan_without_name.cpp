// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <attend/language.hpp>
using namespace attend::dims;
using namespace attend::literals;

struct span_of_three {
  static constexpr std::size_t rank() { return 3; }
  float* data_handle() const { return nullptr; }
  std::size_t extent(int) const { return 4; }
  std::size_t stride(int) const { return 1; }
};
// expected-error: view(mdspan, dims...) requires a name for every dimension of the mdspan
// expected-note: dims_of_x<b,s>
// expected-note: rank_of_mdspan<3>
auto q = attend::view(span_of_three{}, b, s);
