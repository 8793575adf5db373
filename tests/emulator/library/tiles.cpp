// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Boxes of tensors copied by the tensor memory accelerator. A row of a box is a line of 128 bytes of shared memory, whose
// 16-byte chunks are exclusive-ored by the line's number % 8.
#include "machine.hpp"
#include <algorithm>

namespace attend::emulator {

namespace {

constexpr std::uint32_t line_bytes = 128, element_bytes = 2, aligned = 1024;
constexpr std::size_t remembered = 256; // tiles that messages can name

tile_map map_at(void const* map, place const& where) {
  tile_map found;
  sanitizer::copy(&found, map, sizeof found);
  if (found.made_here != tile_map::mark) fail(where, "uses a map of a tensor that make_map has not made");
  return found;
}

/// For every row of the box, in the order of shared memory: the line's address, where the box's row begins in global
/// memory and which of its elements, from `first` to `last`, are in the tensor.
template <class Deed>
void for_rows(tile const& t, Deed deed) {
  std::uint32_t line = t.shared;
  std::array<std::uint32_t, 5> i{};
  auto const& map = t.map;
  auto const& at = t.at;
  int const first = std::max(0, -at[0]);
  int const last = static_cast<int>(std::min<std::int64_t>(map.box[0], std::int64_t{map.extent[0]} - at[0]));
  for (i[4] = 0; i[4] < map.box[4]; ++i[4])
    for (i[3] = 0; i[3] < map.box[3]; ++i[3])
      for (i[2] = 0; i[2] < map.box[2]; ++i[2])
        for (i[1] = 0; i[1] < map.box[1]; ++i[1], line += line_bytes) {
          bool there = first < last;
          std::int64_t offset = std::int64_t{at[0]} * element_bytes;
          for (std::size_t axis = 1; axis < 5; ++axis) {
            std::int64_t const x = std::int64_t{at[axis]} + i[axis];
            there = there && x >= 0 && x < map.extent[axis];
            offset += x * static_cast<std::int64_t>(map.stride[axis - 1]);
          }
          if (there) deed(line, map.data + offset, first, last);
          else deed(line, map.data, 0, 0);
        }
}
/// An element's place in shared memory.
std::byte* element(std::uint32_t line, int i) {
  std::uint32_t const byte = static_cast<std::uint32_t>(i) * element_bytes, chunk = byte / 16 ^ line / line_bytes % 8;
  return m.shared.at(line + chunk * 16 + byte % 16);
}

tile begin(void const* map, std::uint32_t shared, int const* at, char const* deed, place const& where) {
  ++counts.tiles;
  tile t{map_at(map, where), {}, shared, 0, m.running->index, where};
  sanitizer::copy(t.at.data(), at, sizeof t.at);
  if (t.map.box[0] * element_bytes != line_bytes)
    fail(where, std::string(deed) + " a box whose rows are of " + std::to_string(t.map.box[0] * element_bytes) +
                    " bytes, not of 128: where they lie is not known");
  judge(m.shared.within(shared, aligned, aligned), deed, aligned, where);
  judge(m.shared.within(shared, t.bytes(), 1), deed, t.bytes(), where);
  return t;
}
void check_global(tile const& t, char const* deed, bool writes) {
  for_rows(t, [&](std::uint32_t, std::byte* row, int first, int last) {
    if (first >= last) return;
    std::byte* const from = row + first * static_cast<int>(element_bytes);
    auto const bytes = static_cast<std::size_t>(last - first) * element_bytes;
    if (std::string const wrong = outside_of_global_memory(from, bytes); !wrong.empty())
      fail(t.where, std::string(deed) + " global memory " + wrong);
    on_behalf(*m.running, [&] { writes ? sanitizer::threads::write(from, bytes) : sanitizer::threads::read(from, bytes); });
  });
}

void land(tile const& t) {
  mbarrier& b = m.mbarriers.at(t.barrier);
  m.shared.end_copy(b.copies, b.now, t.shared, t.bytes());
  std::memset(m.shared.at(t.shared), 0, t.bytes());
  for_rows(t, [](std::uint32_t line, std::byte const* row, int first, int last) {
    for (int i = first; i < last; ++i) sanitizer::copy(element(line, i), row + i * static_cast<int>(element_bytes), element_bytes);
  });
  m.loaded.push_back(t);
  if (m.loaded.size() > remembered) m.loaded.pop_front();
  b.loaded.push_back(t);
  b.bytes -= t.bytes();
  advance(t.barrier, b);
}
void copy_out(tile const& t) {
  for_rows(t, [](std::uint32_t line, std::byte* row, int first, int last) {
    for (int i = first; i < last; ++i) sanitizer::copy(row + i * static_cast<int>(element_bytes), element(line, i), element_bytes);
  });
}

} // namespace

void check_map(void const* map, place where) {
  inside const guard;
  static_cast<void>(map_at(map, where));
}

void load_tile(std::uint32_t to, void const* map, std::uint32_t barrier, int const* from, place where) {
  inside const guard;
  tile t = begin(map, to, from, "loads a tile to", where);
  t.barrier = barrier;
  static_cast<void>(find_mbarrier(barrier, where));
  check_global(t, "loads a tile from", false);
  judge(m.shared.write(m.running->as_observer(), to, t.bytes()), "loads a tile to", t.bytes(), where);
  m.shared.begin_copy(m.running->index, to, t.bytes());
  if (options.order == landing::early) land(t);
  else m.loads.push_back(t);
  perhaps_give_way();
}
bool land_a_tile() {
  if (m.loads.empty()) return false;
  auto const which = m.loads.begin() + static_cast<std::ptrdiff_t>(options.seed == 0 ? 0 : m.random() % m.loads.size());
  tile const t = *which;
  m.loads.erase(which);
  land(t);
  return true;
}
void check_tiles_are_over() {
  auto const complain = [](tile const& t) {
    throw error(heading() + "thread " + std::to_string(t.thread) + " at " + text(t.where) +
                " loads a tile that nobody has waited for when the block ends");
  };
  for (tile const& t : m.loads) complain(t);
  for (auto const& [address, b] : m.mbarriers) {
    for (tile const& t : b.loaded) complain(t);
    for (tile const& t : b.unawaited) complain(t);
  }
}

// Stores read shared memory in the name of an actor of the thread's, whose time goes on at a wait.
void store_tile(void const* map, std::uint32_t from, int const* to, place where) {
  inside const guard;
  tile const t = begin(map, from, to, "stores a tile from", where);
  cuda_thread& self = *m.running;
  if (self.storer == 0) self.storer = m.actors++;
  check_global(t, "stores a tile to", true);
  judge(m.shared.read({self.storer, self.stores_now, self.seen, true}, from, t.bytes()), "stores a tile from", t.bytes(), where);
  if (options.order == landing::early) copy_out(t);
  self.stores_open.push_back(t);
  self.seen.raise(self.index, self.now() + 1);
  perhaps_give_way();
}
void store_tile_commit(place) {
  inside const guard;
  cuda_thread& self = *m.running;
  self.stores.insert(self.stores.end(), self.stores_open.begin(), self.stores_open.end());
  self.stores_open.clear();
}
void store_tile_wait(place where) {
  inside const guard;
  if (left_out(where)) return;
  cuda_thread& self = *m.running;
  if (options.order == landing::late) std::for_each(self.stores.begin(), self.stores.end(), copy_out);
  if (!self.stores.empty()) self.learn(self.storer, self.stores_now++);
  self.stores.clear();
}
void check_tiles_are_over(cuda_thread const& t) {
  if (!t.stores_open.empty()) fail(t.stores_open[0].where, "stores a tile that is in no group when the thread ends");
  if (!t.stores.empty()) fail(t.stores[0].where, "stores a tile that it never waits for");
}

} // namespace attend::emulator
