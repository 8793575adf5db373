// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A block's shared memory, and what is known of each of its cells: who wrote it last, who has read it since, and whether
// a copy into it is under way. Two accesses are a race unless the second one's actor knows that the first is over.
#pragma once
#include "clocks.hpp"
#include <cstring>

namespace attend::emulator {

/// The first address of shared memory.
inline constexpr std::uint32_t first_address = 1024;

/// Who reads or writes, and what it knows.
struct observer {
  actor who;
  instant when;
  clock const& seen;
  bool asynchronous = false; ///< sees what threads wrote once they fenced it
};

class shared_memory {
public:
  static constexpr std::size_t granule = 4; ///< bytes of a cell
  enum class verdict { fine, outside, unaligned, mbarrier, pending, written_by, read_by, unwritten, unfenced };
  struct finding {
    verdict what = verdict::fine;
    actor who = 0; ///< the other one, where there is one
    std::size_t byte = 0;
  };

  void begin(std::size_t bytes, unsigned threads) {
    memory_.assign(bytes, std::byte{0xff});
    cells_.assign((bytes + granule - 1) / granule, {});
    fenced_.assign(threads, 0);
    readers_.clear(), unused_.clear();
  }
  std::size_t size() const { return memory_.size(); }
  std::byte* at(std::uint32_t address) { return memory_.data() + (address - first_address); }

  finding within(std::uint32_t address, std::size_t bytes, std::size_t aligned) const {
    if (address % aligned != 0) return {verdict::unaligned, 0, address - first_address};
    if (address < first_address || address - first_address + bytes > memory_.size()) return {verdict::outside, 0, address - first_address};
    return {};
  }
  /// Notes a read; a finding says what is wrong with it.
  finding read(observer const& by, std::uint32_t address, std::size_t bytes) {
    for (std::size_t i = first(address), end = last(address, bytes); i < end; ++i) {
      cell& c = cells_[i];
      if (c.held != free) return held(c, i);
      if (c.written == 0) return {verdict::unwritten, 0, i * granule};
      if (by.seen[c.writer] < c.written) return {verdict::written_by, c.writer, i * granule};
      if (by.asynchronous && c.writer < fenced_.size() && fenced_[c.writer] < c.written) return {verdict::unfenced, c.writer, i * granule};
      note_reader(c, by);
    }
    return {};
  }
  finding write(observer const& by, std::uint32_t address, std::size_t bytes) {
    for (std::size_t i = first(address), end = last(address, bytes); i < end; ++i) {
      cell& c = cells_[i];
      if (c.held != free) return held(c, i);
      if (by.seen[c.writer] < c.written) return {verdict::written_by, c.writer, i * granule};
      if (auto const* const other = unknown_reader(c, by.seen)) return {verdict::read_by, other->who, i * granule};
      forget_readers(c);
      c.written = by.when, c.writer = static_cast<std::uint16_t>(by.who);
    }
    return {};
  }
  /// What this thread has written so far is seen by asynchronous reads.
  void fence(actor thread, instant when) { fenced_[thread] = when; }

  /// A copy that a thread began, after write() found nothing; it ends as a write of another actor's, or of the thread's.
  void begin_copy(actor thread, std::uint32_t address, std::size_t bytes) {
    std::memset(at(address), 0xff, bytes);
    for (std::size_t i = first(address), end = last(address, bytes); i < end; ++i) cells_[i].held = static_cast<std::uint16_t>(thread + 1);
  }
  void end_copy(actor writer, instant when, std::uint32_t address, std::size_t bytes) {
    for (std::size_t i = first(address), end = last(address, bytes); i < end; ++i)
      cells_[i].held = free, cells_[i].written = when, cells_[i].writer = static_cast<std::uint16_t>(writer);
  }
  /// Nothing but the instructions of mbarriers may touch these bytes.
  void become_mbarrier(std::uint32_t address) {
    for (std::size_t i = first(address), end = last(address, 8); i < end; ++i) cells_[i].held = by_mbarrier;
  }

private:
  static constexpr std::uint16_t free = 0, by_mbarrier = 0xffff;
  struct reading {
    instant when;
    actor who;
  };
  struct cell {
    instant written = 0, read = 0;
    std::uint16_t writer = 0, reader = 0;
    std::uint16_t held = free; // by the copy of a thread, its number + 1, or by an mbarrier
    std::uint16_t several = 0; // readers, none of whom knew of the others: where they are listed, + 1
  };
  static std::size_t first(std::uint32_t address) { return (address - first_address) / granule; }
  static std::size_t last(std::uint32_t address, std::size_t bytes) { return (address - first_address + bytes + granule - 1) / granule; }
  static finding held(cell const& c, std::size_t i) {
    if (c.held == by_mbarrier) return {verdict::mbarrier, 0, i * granule};
    return {verdict::pending, c.held - 1u, i * granule};
  }

  // One reader is kept in the cell, if it knew of those before it; several in a list, until the next write.
  void note_reader(cell& c, observer const& by) {
    if (c.several == 0 && (c.read == 0 || c.reader == by.who || by.seen[c.reader] >= c.read)) {
      c.read = by.when, c.reader = static_cast<std::uint16_t>(by.who);
      return;
    }
    if (c.several == 0) {
      if (unused_.empty()) readers_.emplace_back(), unused_.push_back(static_cast<std::uint16_t>(readers_.size()));
      c.several = unused_.back();
      unused_.pop_back();
      readers_[c.several - 1u] = {{c.read, c.reader}};
    }
    auto& all = readers_[c.several - 1u];
    for (reading& r : all)
      if (r.who == by.who) {
        r.when = by.when;
        return;
      }
    all.push_back({by.when, by.who});
  }
  reading const* unknown_reader(cell const& c, clock const& seen) {
    if (c.several == 0) {
      single_ = {c.read, c.reader};
      return seen[c.reader] < c.read ? &single_ : nullptr;
    }
    for (reading const& r : readers_[c.several - 1u])
      if (seen[r.who] < r.when) return &r;
    return nullptr;
  }
  void forget_readers(cell& c) {
    if (c.several != 0) unused_.push_back(c.several);
    c.read = 0, c.several = 0;
  }

  std::vector<std::byte> memory_;
  std::vector<cell> cells_;
  std::vector<instant> fenced_; // of each thread
  std::vector<std::vector<reading>> readers_;
  std::vector<std::uint16_t> unused_; // of them, + 1
  reading single_{};
};

} // namespace attend::emulator
