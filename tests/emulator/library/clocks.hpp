// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is known to have happened before. Whoever reads or writes shared memory is an actor: a CUDA thread, the tensor core
// of a warp, the copies that an mbarrier counts, the stores of tiles that a thread began. Each counts its own time.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace attend::emulator {

using actor = unsigned;
using instant = std::uint32_t; ///< 0 is before everything

/// Of every actor the last instant that is known to be over.
class clock {
public:
  instant operator[](actor who) const { return who < known_.size() ? known_[who] : 0; }
  void raise(actor who, instant to) {
    if (who >= known_.size()) known_.resize(who + 1);
    known_[who] = std::max(known_[who], to);
  }
  void join(clock const& other) {
    if (known_.size() < other.known_.size()) known_.resize(other.known_.size());
    instant* const mine = known_.data();
    instant const* const theirs = other.known_.data();
    for (std::size_t i = 0, count = other.known_.size(); i < count; ++i) mine[i] = std::max(mine[i], theirs[i]);
  }
  void clear() { known_.clear(); }

private:
  std::vector<instant> known_;
};

} // namespace attend::emulator
