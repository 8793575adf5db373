// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whichever unit's instances the linker kept, both answer alike where they ask alike and differ where they do not.
#include "units.hpp"
#include <cstdio>

int main() {
  answer const x = causal_unit(), y = linear_unit();
  bool const alike = x.shared == y.shared && x.explanation == y.explanation && !x.shared.empty();
  bool const own = x.own != x.shared && y.own != y.shared && x.own != y.own && x.own.size() == y.own.size();
  if (!alike) std::puts("two units evaluate one expression differently");
  if (!own) std::puts("two units share what is not the same expression");
  return alike && own ? 0 : 1;
}
