// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Comparing planned chains with those as written says something only where the two differ.
#include "planned.hpp"
#include <gtest/gtest.h>

TEST(random_chains, most_are_planned_otherwise) {
  RecordProperty("planned_otherwise", attend::random_test::planned_otherwise);
  EXPECT_GE(attend::random_test::planned_otherwise, ATTEND_RANDOM_CHAINS / 2);
}
