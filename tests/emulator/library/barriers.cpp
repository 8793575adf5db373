// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Barriers of the block, those with a number, and those in shared memory. What threads knew when they came is known to
// those that waited.
#include "machine.hpp"

namespace attend::emulator {

namespace {

std::string number_of(int id) { return "named barrier " + std::to_string(id); }

void arrive(gathering& g, cuda_thread& t) {
  t.tell(g.told);
  on_behalf(t, [&] { sanitizer::threads::release(&g); });
  ++g.arrived, ++g.lanes[t.index / warp_size];
}
/// All have come: warps as a whole, as the instructions demand.
void open(gathering& g, place const& where) {
  for (std::size_t warp = 0; warp < g.lanes.size(); ++warp)
    if (int const lanes = g.lanes[warp]; lanes % warp_size != 0)
      fail(where, "completes a barrier to which " + std::to_string(lanes) + " lanes of warp " + std::to_string(warp) + " have come");
  g.lanes.fill(0);
  for (cuda_thread* t : g.waiting) t->learn(g.told), wake(*t);
  g.waiting.clear(), g.told.clear();
  g.arrived = 0;
}
void wait_for_others(gathering& g, char const* what, place const& where, std::string which) {
  if (g.arrived < g.expected) {
    g.waiting.push_back(m.running);
    wait_in(what, where, std::move(which));
  } else {
    m.running->learn(g.told);
    open(g, where);
    perhaps_give_way();
  }
  on_behalf(*m.running, [&] { sanitizer::threads::acquire(&g); });
}

gathering& find_named(int id, int threads, place const& where) {
  if (id < 1 || id > 15 || threads < warp_size || threads > 1024 || threads % warp_size != 0)
    fail(where, "comes to " + number_of(id) + " for " + std::to_string(threads) + " threads");
  gathering& g = m.barriers[static_cast<std::size_t>(id)];
  if (g.arrived == 0) g.expected = static_cast<unsigned>(threads), g.where = where;
  else if (g.expected != static_cast<unsigned>(threads))
    fail(where, "came to " + number_of(id) + " for " + std::to_string(threads) + " threads while " + std::to_string(g.arrived) +
                    " are in it for " + std::to_string(g.expected) + ", one at " + text(g.where));
  return g;
}

} // namespace

void barrier(place where) {
  inside const guard;
  if (left_out(where)) return;
  gathering& g = m.barriers[0];
  g.expected = m.count;
  if (g.arrived > 0 && (g.where.line() != where.line() || g.where.column() != where.column()))
    fail(where, "came to a barrier while " + std::to_string(g.arrived) + " threads of its block are in the one at " + text(g.where));
  g.where = where;
  arrive(g, *m.running);
  if (g.arrived == m.count) ++counts.barriers;
  wait_for_others(g, "a barrier of the block", where, {});
}

void named_barrier(int id, int threads, place where) {
  inside const guard;
  if (left_out(where)) return;
  gathering& g = find_named(id, threads, where);
  arrive(g, *m.running);
  wait_for_others(g, "named barrier ", where, std::to_string(id));
}
// The lanes arrive together: one that ran ahead of the others could come twice before they come once.
void named_barrier_arrive(int id, int threads, place where) {
  inside const guard;
  meet("an arrival at a named barrier", where, nullptr, [&](auto const&) {
    gathering& g = find_named(id, threads, where);
    for_lanes([&](cuda_thread& t, unsigned) { arrive(g, t); });
    if (g.arrived > g.expected) fail(where, "arrives at " + number_of(id) + " with " + std::to_string(g.arrived - g.expected) + " threads too many");
    if (g.arrived == g.expected) open(g, where);
  });
}

void check_barriers_are_left() {
  for (std::size_t id = 1; id < m.barriers.size(); ++id)
    if (gathering const& g = m.barriers[id]; g.arrived > 0)
      throw error(heading() + std::to_string(g.arrived) + " threads arrive at " + number_of(static_cast<int>(id)) + ", one at " + text(g.where) +
                  ", and nobody comes to wait for them");
}

mbarrier& find_mbarrier(std::uint32_t address, place const& where) {
  auto const found = m.mbarriers.find(address);
  if (found == m.mbarriers.end()) fail(where, "takes " + text_of_byte(address) + " for an mbarrier, where none was initialised");
  mbarrier& b = found->second;
  if (m.running->seen[b.initialiser] < b.initialised)
    fail(where, "uses the mbarrier at " + text_of_byte(address) + ", which thread " + std::to_string(b.initialiser) +
                    " initialised with no barrier between");
  return b;
}

void mbarrier_init(std::uint32_t address, unsigned arrivals, place where) {
  inside const guard;
  if (m.mbarriers.contains(address)) fail(where, "initialises the mbarrier at " + text_of_byte(address) + " again");
  if (arrivals == 0 || arrivals >= 1u << 20) fail(where, "initialises an mbarrier for " + std::to_string(arrivals) + " arrivals");
  write(address, 8, where);
  m.shared.become_mbarrier(address);
  mbarrier& b = m.mbarriers[address];
  b.expected = arrivals;
  b.initialiser = m.running->index, b.initialised = m.running->now();
  b.copies = m.actors++;
  perhaps_give_way();
}
void advance(std::uint32_t address, mbarrier& b) {
  if (b.arrived < b.expected || b.bytes > 0) return;
  if (b.bytes < 0)
    throw error(heading() + "the mbarrier at " + text_of_byte(address) + " gets " + std::to_string(-b.bytes) +
                " bytes more than it was told to expect");
  b.told.raise(b.copies, b.now);
  b.over = b.told;
  ++b.now, ++b.phase;
  b.arrived = 0;
  b.unawaited.insert(b.unawaited.end(), b.loaded.begin(), b.loaded.end());
  b.loaded.clear();
  for (cuda_thread* t : b.waiting) wake(*t);
  b.waiting.clear();
}
void mbarrier_arrive(std::uint32_t address, unsigned bytes_expected, place where) {
  inside const guard;
  mbarrier& b = find_mbarrier(address, where);
  if (b.arrived == b.expected)
    fail(where, "arrives at the mbarrier at " + text_of_byte(address) + ", where all " + std::to_string(b.expected) +
                    " of this phase have arrived");
  on_behalf(*m.running, [&] { sanitizer::threads::release(&b); });
  m.running->tell(b.told);
  b.bytes += bytes_expected;
  ++b.arrived;
  advance(address, b);
  perhaps_give_way();
}
void mbarrier_wait(std::uint32_t address, unsigned parity, place where) {
  inside const guard;
  if (left_out(where)) return;
  mbarrier& b = find_mbarrier(address, where);
  if (parity > 1) fail(where, "waits for parity " + std::to_string(parity));
  while (b.phase % 2 == parity) {
    b.waiting.push_back(m.running);
    wait_in("mbarrier ", where, "at " + text_of_byte(address) + " for parity " + std::to_string(parity));
  }
  on_behalf(*m.running, [&] { sanitizer::threads::acquire(&b); });
  m.running->learn(b.over);
  b.unawaited.clear();
  perhaps_give_way();
}
std::string text_of_mbarriers() {
  std::string out;
  for (auto const& [address, b] : m.mbarriers)
    out += "; the mbarrier at " + text_of_byte(address) + " is in phase " + std::to_string(b.phase) + " with " + std::to_string(b.arrived) + " of " +
           std::to_string(b.expected) + " arrivals, " + std::to_string(b.bytes) + " bytes outstanding";
  return out;
}

} // namespace attend::emulator
