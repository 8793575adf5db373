// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads and writes of shared memory, and cp.async.
#include "machine.hpp"

namespace attend::emulator {

namespace {

using verdict = shared_memory::verdict;

std::string text_of(tile const& t) { return "the tile that thread " + std::to_string(t.thread) + " began at " + text(t.where); }

/// The copy of a thread that is under way to a byte.
std::string copy_to(std::size_t byte, unsigned thread) {
  for (tile const& t : m.loads)
    if (t.covers(byte)) return text_of(t);
  std::string const who = "the copy that thread " + std::to_string(thread) + " began";
  auto const covers = [&](copy const& c) { return byte + first_address >= c.to && byte + first_address < c.to + c.bytes; };
  for (auto const& group : m.threads[thread]->groups)
    for (copy const& c : group)
      if (covers(c)) return who + " at " + text(c.where);
  for (copy const& c : m.threads[thread]->open)
    if (covers(c)) return who + " at " + text(c.where);
  return who;
}
/// The tile that was copied to a byte last.
std::string tile_at(std::size_t byte) {
  for (auto t = m.loaded.rbegin(); t != m.loaded.rend(); ++t)
    if (t->covers(byte)) return text_of(*t);
  return "the tile there";
}

std::string who_wrote(actor who, std::size_t byte) {
  if (who < m.count) return ", which thread " + std::to_string(who) + " wrote with no barrier between";
  return " before the wait for " + tile_at(byte);
}
std::string who_read(actor who) {
  if (who < m.count) return "thread " + std::to_string(who) + " read with no barrier between";
  for (std::size_t w = 0; w < m.warps.size(); ++w)
    if (m.warps[w].core == who) return "a product of warp " + std::to_string(w) + " reads, with no wait for it and barrier between";
  std::string storer = "somebody";
  for (unsigned t = 0; t < m.count; ++t)
    if (m.threads[t]->storer == who) storer = "thread " + std::to_string(t);
  return "a store of a tile by " + storer + " reads, with no wait for it and barrier between";
}

} // namespace

void judge(shared_memory::finding const& found, char const* deed, std::size_t bytes, place const& where) {
  if (found.what == verdict::fine) return;
  std::string const there = std::string(deed) + " shared memory at byte " + std::to_string(static_cast<std::int32_t>(found.byte));
  switch (found.what) {
  case verdict::outside:
    fail(where, there + ", " + std::to_string(bytes) + " bytes, outside the block's " + std::to_string(m.shared.size()));
  case verdict::unaligned: fail(where, there + ", which is not aligned to " + std::to_string(bytes) + " bytes");
  case verdict::mbarrier: fail(where, there + ", where an mbarrier is");
  case verdict::unwritten: fail(where, there + ", which nothing has written");
  case verdict::unfenced: fail(where, there + ", which thread " + std::to_string(found.who) + " wrote without a fence for asynchronous reads");
  case verdict::written_by: fail(where, there + who_wrote(found.who, found.byte));
  case verdict::read_by: fail(where, there + ", which " + who_read(found.who));
  default: fail(where, there + " before the wait for " + copy_to(found.byte, found.who));
  }
}

void read(std::uint32_t from, std::size_t bytes, place const& where) {
  judge(m.shared.within(from, bytes, bytes), "reads", bytes, where);
  judge(m.shared.read(m.running->as_observer(), from, bytes), "reads", bytes, where);
}
void write(std::uint32_t to, std::size_t bytes, place const& where) {
  judge(m.shared.within(to, bytes, bytes), "writes", bytes, where);
  judge(m.shared.write(m.running->as_observer(), to, bytes), "writes", bytes, where);
}

void load_shared(std::uint32_t from, void* to, std::size_t bytes, place where) {
  inside const guard;
  read(from, bytes, where);
  sanitizer::copy(to, m.shared.at(from), bytes);
  perhaps_give_way();
}
void store_shared(std::uint32_t to, void const* from, std::size_t bytes, place where) {
  inside const guard;
  write(to, bytes, where);
  sanitizer::copy(m.shared.at(to), from, bytes);
  perhaps_give_way();
}

void copy_async(std::uint32_t to, void const* from, std::size_t bytes, std::size_t bytes_read, place where) {
  inside const guard;
  ++counts.copies;
  if (reinterpret_cast<std::uintptr_t>(from) % bytes != 0)
    fail(where, "copies from an address that is not aligned to " + std::to_string(bytes) + " bytes");
  if (bytes_read > 0) {
    if (std::string const wrong = outside_of_global_memory(from, bytes_read); !wrong.empty()) fail(where, "copies from global memory " + wrong);
    on_behalf(*m.running, [&] { sanitizer::threads::read(from, bytes_read); });
  }
  write(to, bytes, where);
  m.shared.begin_copy(m.running->index, to, bytes);
  m.running->open.push_back({to, from, bytes, bytes_read, where});
  perhaps_give_way();
}
void copy_async_commit(place) {
  inside const guard;
  m.running->groups.push_back(std::move(m.running->open));
  m.running->open.clear();
}
void copy_async_wait(int pending, place where) {
  inside const guard;
  if (left_out(where)) return;
  auto& groups = m.running->groups;
  for (; static_cast<int>(groups.size()) > pending; groups.pop_front())
    for (copy const& c : groups.front()) {
      std::memset(m.shared.at(c.to), 0, c.bytes);
      sanitizer::copy(m.shared.at(c.to), c.from, c.read);
      m.shared.end_copy(m.running->index, m.running->now(), c.to, c.bytes);
    }
}
void check_copies_are_over(cuda_thread const& t) {
  if (!t.open.empty()) fail(t.open[0].where, "began a copy that is in no group when the thread ends");
  for (auto const& group : t.groups)
    if (!group.empty()) fail(group[0].where, "began a copy that it never waits for");
}

void async_fence(place where) {
  inside const guard;
  if (left_out(where)) return;
  cuda_thread& self = *m.running;
  m.shared.fence(self.index, self.now());
  self.seen.raise(self.index, self.now() + 1);
}

} // namespace attend::emulator
