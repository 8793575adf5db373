// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pairwise combination of a sequence that arrives one by one: a binary counter of partial results.
#pragma once
#include <attend/kernels/thrust/lanes.hpp>
#include <vector>

namespace attend::kernels::passes {
inline namespace ATTEND_DETAIL_ISA {

/// Some accumulators side by side.
template <class A, int Columns>
struct node {
  A column[Columns];
};

/// Combines nodes in the order of a balanced tree over their numbers: neighbours first, then neighbours of neighbours.
/// The tree of 2^k aligned nodes is a subtree of it, so that work cut there gives the same bits as work done in one go.
template <class Op, class A, int Columns>
class cascade {
public:
  /// Appends a node of which `used` columns count.
  void push(node<A, Columns> x, int used) {
    int level = 0;
    for (; (count_ >> level) & 1; ++level) merge(x, level, used);
    if (level == static_cast<int>(level_.size())) level_.push_back(x);
    else level_[level] = x;
    ++count_;
  }
  /// What all nodes give together; there must be one.
  node<A, Columns> total(int used) const {
    int level = 0;
    while (!((count_ >> level) & 1)) ++level;
    node<A, Columns> x = level_[level];
    for (++level; count_ >> level; ++level)
      if ((count_ >> level) & 1) merge(x, level, used);
    return x;
  }

private:
  void merge(node<A, Columns>& x, int level, int used) const {
    for (int j = 0; j < used; ++j) x.column[j] = combine<Op>(level_[level].column[j], x.column[j]);
  }

  std::vector<node<A, Columns>> level_; // the one of number k holds 2^k nodes where bit k of the count is set
  long count_ = 0;
};

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::passes
