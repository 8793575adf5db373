// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One evaluated attention, every route of it instantiated.
// expressions: 1
#include <attend/attend.hpp>

using namespace attend::dims;
using namespace attend::literals;

void run(float const* query, float const* key, float const* value, float const* bias, float* out, long batch) {
  auto const q = attend::view(query, b = batch, n = 8, s = 128, d = 64_c);
  auto const k = attend::view(key, b = batch, n = 8, t = 128, d = 64_c);
  auto const v = attend::view(value, b = batch, n = 8, t = 128, d = 64_c);
  auto const mask = attend::view(bias, s = 128, t = 128);
  evaluate(into(attend::view(out, b = batch, n = 8, s = 128, d = 64_c)), softmax(q * transpose(k) * 0.125f + mask) * v);
}
