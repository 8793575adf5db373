// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A block's shared memory, and what is known of each of its cells: who wrote and read it since the last barrier of the
// block, and whether a copy into it is under way.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace attend::emulator {

/// The first address of shared memory.
inline constexpr std::uint32_t first_address = 1024;

class shared_memory {
public:
  static constexpr std::size_t granule = 2; ///< bytes of a cell
  enum class verdict { fine, outside, unaligned, pending, written_by, read_by, unwritten };
  struct finding {
    verdict what = verdict::fine;
    unsigned thread = 0; ///< the other thread, where there is one
    std::size_t byte = 0;
  };

  void begin(std::size_t bytes) {
    memory_.assign(bytes, std::byte{0xff});
    cells_.assign((bytes + granule - 1) / granule, {});
    epoch_ = 1;
  }
  void barrier() { ++epoch_; }
  std::size_t size() const { return memory_.size(); }
  std::byte* at(std::uint32_t address) { return memory_.data() + (address - first_address); }

  finding within(std::uint32_t address, std::size_t bytes, std::size_t aligned) const {
    if (address % aligned != 0) return {verdict::unaligned, 0, address - first_address};
    if (address < first_address || address - first_address + bytes > memory_.size()) return {verdict::outside, 0, address - first_address};
    return {};
  }
  /// Notes that a thread reads; a finding says what is wrong with it.
  finding read(unsigned thread, std::uint32_t address, std::size_t bytes) {
    for (std::size_t i = first(address), end = last(address, bytes); i < end; ++i) {
      cell& c = cells_[i];
      if (c.copying != 0) return {verdict::pending, c.copying - 1u, i * granule};
      if (c.written == 0) return {verdict::unwritten, 0, i * granule};
      if (c.written == epoch_ && c.writer != thread) return {verdict::written_by, c.writer, i * granule};
      c.several = c.read == epoch_ && (c.several || c.reader != thread);
      c.read = epoch_, c.reader = static_cast<std::uint16_t>(thread);
    }
    return {};
  }
  finding write(unsigned thread, std::uint32_t address, std::size_t bytes) {
    for (std::size_t i = first(address), end = last(address, bytes); i < end; ++i) {
      cell& c = cells_[i];
      if (c.copying != 0) return {verdict::pending, c.copying - 1u, i * granule};
      if (c.written == epoch_ && c.writer != thread) return {verdict::written_by, c.writer, i * granule};
      if (c.read == epoch_ && (c.several || c.reader != thread)) return {verdict::read_by, c.reader, i * granule};
      c.written = epoch_, c.writer = static_cast<std::uint16_t>(thread);
    }
    return {};
  }
  /// A copy of a thread begins, after write() found nothing; it ends as another write of that thread.
  void begin_copy(unsigned thread, std::uint32_t address, std::size_t bytes) {
    std::memset(at(address), 0xff, bytes);
    for (std::size_t i = first(address), end = last(address, bytes); i < end; ++i) cells_[i].copying = static_cast<std::uint16_t>(thread + 1);
  }
  void end_copy(unsigned thread, std::uint32_t address, std::size_t bytes) {
    for (std::size_t i = first(address), end = last(address, bytes); i < end; ++i)
      cells_[i].copying = 0, cells_[i].written = epoch_, cells_[i].writer = static_cast<std::uint16_t>(thread);
  }

private:
  struct cell {
    std::uint32_t written = 0, read = 0; // the epoch
    std::uint16_t writer = 0, reader = 0, copying = 0;
    bool several = false; // readers
  };
  static std::size_t first(std::uint32_t address) { return (address - first_address) / granule; }
  static std::size_t last(std::uint32_t address, std::size_t bytes) { return (address - first_address + bytes + granule - 1) / granule; }

  std::vector<std::byte> memory_;
  std::vector<cell> cells_;
  std::uint32_t epoch_ = 1; // barriers so far
};

} // namespace attend::emulator
