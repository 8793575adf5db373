// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How many of a program's expressions the planner changes, counted before its tests run.
#pragma once

namespace attend::random_test {

inline int planned_otherwise = 0;

/// Names an expression that is planned in another form than it is written in, which counts it.
template <class E>
inline bool const is_planned_otherwise = (++planned_otherwise, true);

} // namespace attend::random_test
