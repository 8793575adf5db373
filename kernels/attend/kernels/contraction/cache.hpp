// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Plans by the shape of their problem. Making one costs tens of microseconds to milliseconds (oneDNN may generate code),
// finding one well below a microsecond; the least recently used are forgotten. Safe from any number of threads.
#pragma once
#include <attend/kernels/contraction/plan.hpp>
#include <bit>
#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace attend::kernels::contraction::detail {

// All of a problem but its pointers.
using shape_key = std::vector<std::int64_t>;

inline shape_key key_of(problem const& p, int threads, bool residual_is_out) {
  auto const& f = p.finish;
  bool const bias = f.bias.data, residual = f.residual.data;
  shape_key key;
  key.reserve(4 + std::size_t(p.axes) * 6);
  std::int64_t types = 0;
  for (int field : {int(p.x.type), int(p.y.type), int(p.out.type), bias ? int(f.bias.type) : 3,
                    residual ? int(f.residual.type) : 3, int(f.function), int(residual_is_out)})
    types = types * 16 + field;
  key.insert(key.end(), {types, threads, std::bit_cast<std::int64_t>(f.scale)});
  auto const put = [&](auto const& values) { key.insert(key.end(), values.begin(), values.begin() + p.axes); };
  put(p.extents);
  put(p.x.strides);
  put(p.y.strides);
  put(p.out.strides);
  if (bias) put(f.bias.strides);
  if (residual) put(f.residual.strides);
  return key;
}

struct key_hash {
  std::size_t operator()(shape_key const& key) const {
    std::uint64_t h = key.size();
    for (auto const v : key) h = (std::rotl(h, 29) ^ static_cast<std::uint64_t>(v)) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 32);
  }
};

class plan_cache {
  static constexpr std::size_t most = 512;
  using entry = std::pair<shape_key, std::shared_ptr<plan const>>;
  std::mutex guard_;
  std::list<entry> by_use_; // the last used one first
  std::unordered_map<shape_key, std::list<entry>::iterator, key_hash> by_key_;

public:
  // The plan for a problem, made now if it was not known. Two threads may make the same plan at once; one is kept.
  std::shared_ptr<plan const> find(problem const& p, int threads, bool residual_is_out) {
    auto key = key_of(p, threads, residual_is_out);
    {
      std::scoped_lock const lock(guard_);
      if (auto const found = by_key_.find(key); found != by_key_.end()) {
        by_use_.splice(by_use_.begin(), by_use_, found->second);
        return found->second->second;
      }
    }
    std::shared_ptr<plan const> made = planner(p, threads, residual_is_out).make();
    std::shared_ptr<plan const> forgotten; // destroyed after the lock is released
    std::scoped_lock const lock(guard_);
    if (auto const found = by_key_.find(key); found != by_key_.end()) return found->second->second;
    by_use_.emplace_front(key, made);
    by_key_.emplace(std::move(key), by_use_.begin());
    if (by_use_.size() > most) {
      forgotten = std::move(by_use_.back().second);
      by_key_.erase(by_use_.back().first);
      by_use_.pop_back();
    }
    return made;
  }

  // Never destroyed: its primitives could otherwise outlive what oneDNN keeps for them when the process ends.
  static plan_cache& instance() {
    static auto& cache = *new plan_cache;
    return cache;
  }
};

} // namespace attend::kernels::contraction::detail
