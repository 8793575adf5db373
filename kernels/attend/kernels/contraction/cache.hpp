// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Plans by the shape of their problem. Making one costs tens of microseconds to milliseconds (oneDNN may generate code),
// finding one well below a microsecond; those not used for long are forgotten. Safe from any number of threads.
#pragma once
#include <attend/kernels/contraction/plan.hpp>
#include <mutex>

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail {

// A table of sets by hash: a plan has its place in one set, where it replaces the one not used for longest.
class plan_cache {
  static constexpr int sets = 64, ways = 8;
  struct place {
    std::shared_ptr<plan const> known;
    std::uint64_t hash = 0, used = 0; // used: when it was last, as a count of look-ups
  };
  std::mutex guard_;
  std::uint64_t now_ = 0;
  place table_[sets][ways];

  // The place of a key's plan, or null.
  place* look_up(shape_key const& key, std::uint64_t hash) {
    for (place& at : table_[hash % sets])
      if (at.hash == hash && at.known && at.known->key == key) {
        at.used = ++now_;
        return &at;
      }
    return nullptr;
  }

public:
  // The plan for a problem, made now if it was not known. Two threads may make the same plan at once; one is kept.
  std::shared_ptr<plan const> find(problem const& p, int threads, bool residual_is_out) {
    shape_key const key(p, threads, residual_is_out);
    auto const hash = key.hash();
    {
      std::lock_guard const lock(guard_);
      if (auto const* at = look_up(key, hash)) return at->known;
    }
    return add(key, hash, p, threads, residual_is_out);
  }

  // Never destroyed: its primitives could otherwise outlive what oneDNN keeps for them when the process ends.
  static plan_cache& instance() {
    static auto& cache = *new plan_cache;
    return cache;
  }

private:
  [[gnu::cold, gnu::noinline]] std::shared_ptr<plan const> add(shape_key const& key, std::uint64_t hash,
                                                               problem const& p, int threads, bool residual_is_out) {
    auto made = planner(p, threads, residual_is_out).make();
    made->key = key;
    std::shared_ptr<plan const> forgotten; // destroyed after the lock is released
    std::lock_guard const lock(guard_);
    if (auto const* at = look_up(key, hash)) return at->known;
    place* oldest = table_[hash % sets];
    for (place& at : table_[hash % sets])
      if (at.used < oldest->used) oldest = &at;
    forgotten.swap(oldest->known);
    *oldest = {std::move(made), hash, ++now_};
    return oldest->known;
  }
};

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail
