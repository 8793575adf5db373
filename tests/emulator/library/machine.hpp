// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The fibers of one block, what they meet at and what is under way: shared by the emulator's files.
#pragma once
#include "global_memory.hpp"
#include "sanitizers.hpp"
#include "shadow.hpp"
#include <array>
#include <boost/context/fiber.hpp>
#include <deque>
#include <emulator/emulator.hpp>
#include <list>
#include <map>
#include <random>

namespace attend::emulator {

namespace context = boost::context;
inline constexpr int warp_size = 32;

/// Part of cp.async.
struct copy {
  std::uint32_t to;
  void const* from;
  std::size_t bytes, read;
  place where;
};

/// A box on its way between global and shared memory.
struct tile {
  tile_map map;
  std::array<int, 5> at;
  std::uint32_t shared, barrier; // none of a store
  unsigned thread;
  place where;

  std::uint32_t bytes() const { return 128 * map.box[1] * map.box[2] * map.box[3] * map.box[4]; }
  bool covers(std::size_t byte) const { return byte + first_address >= shared && byte + first_address < shared + bytes(); }
};

/// One warp's quarter of a product of its warpgroup.
struct product_begun {
  warpgroup_product what; // of the first lane
  std::array<std::array<std::uint32_t, 4>, warp_size> a;         // where it is in registers
  std::array<std::uint32_t const*, warp_size> a_of;
  std::size_t sums; // which of the warp's
  place where;
};
/// What products leave in the registers of a warp, while they are under way.
struct sums_under_way {
  std::array<float*, warp_size> registers;
  int blocks = 0, products = 0;
  std::vector<float> values; // of each lane 4 for each block
  place where;
};
struct product_group {
  std::vector<product_begun> products;
  instant when;
};

struct warp {
  char const* what = nullptr; // the collective that some lanes are in
  place where;
  int arrived = 0;
  std::array<void*, warp_size> operand{};

  int registers = 0, wanted = 0; // of each thread
  actor core = 0;
  instant now = 1; // of the core
  clock seen;      // by the core
  std::array<unsigned, warp_size> lanes_learned{};
  bool fenced = false;
  std::vector<product_begun> open;
  std::deque<product_group> groups;
  std::map<std::size_t, sums_under_way> sums;
  std::size_t sums_so_far = 0;
};

struct cuda_thread {
  context::fiber self; // while it does not run
  unsigned index = 0;
  bool done = true;
  char const* what = nullptr; // what it waits for
  std::string which;          // of several such things
  place where;
  clock seen;
  unsigned learned = 0; // how often it came to know more
  std::vector<copy> open;
  std::deque<std::vector<copy>> groups;
  actor storer = 0; // its stores of tiles, once it began one
  instant stores_now = 1;
  std::vector<tile> stores_open, stores;
  void* tsan = nullptr;
  sanitizer::stack stack;

  int lane() const { return static_cast<int>(index % warp_size); }
  instant now() const { return seen[index]; }
  observer as_observer() const { return {index, now(), seen}; }
  void learn(clock const& more) { seen.join(more), ++learned; }
  void learn(actor who, instant when) { seen.raise(who, when), ++learned; }
  /// Tells what it knows, and that what it has done is over.
  void tell(clock& other) {
    other.join(seen);
    seen.raise(index, now() + 1);
  }
};

/// Threads that meet at a barrier of the block, number 0, or at one of the others.
struct gathering {
  unsigned expected = 0, arrived = 0;
  place where;
  clock told;
  std::vector<cuda_thread*> waiting;
  std::array<int, 32> lanes{}; // that have come, of each warp
};

struct mbarrier {
  unsigned expected = 0, arrived = 0, phase = 0;
  std::int64_t bytes = 0; // outstanding
  unsigned initialiser = 0;
  instant initialised = 0;
  actor copies = 0;
  instant now = 1;  // of the copies
  clock told, over; // in the phase that runs, and when the last one ended
  std::vector<cuda_thread*> waiting;
  std::vector<tile> loaded, unawaited; // in the phase that runs, and in those for which nobody has waited
};

struct machine {
  char const* name = "";
  position block, grid;
  std::function<void()> const* kernel = nullptr;
  std::vector<std::unique_ptr<cuda_thread>> threads; // kept from block to block
  std::vector<warp> warps;
  unsigned count = 0;
  std::array<gathering, 16> barriers;
  std::map<std::uint32_t, mbarrier> mbarriers;
  std::vector<tile> loads;  // under way
  std::deque<tile> loaded;  // lately
  shared_memory shared;
  actor actors = 0;
  unsigned registers = 0; // of the block
  std::deque<cuda_thread*> ready;
  cuda_thread* running = nullptr;
  context::fiber scheduler; // while a thread runs
  std::exception_ptr failure;
  std::mt19937_64 random;
  sanitizer::threads sanitizer;
  char begun = 0, ended = 0; // what orders a launch, to the thread sanitizer

  warp& warp_at_work() { return warps[running->index / warp_size]; }
  ~machine();
};
extern machine m;

/// While the emulator itself is at work, in a thread's name or not, the sanitizer takes it for the scheduler.
struct inside {
  inside() { m.sanitizer.scheduler_acts(); }
  ~inside() { m.sanitizer.thread_acts(m.running->tsan); }
  inside(inside const&) = delete;
};
/// In a CUDA thread's name, while the emulator is at work.
template <class Deed>
void on_behalf(cuda_thread const& t, Deed deed) {
  m.sanitizer.thread_acts(t.tsan);
  deed();
  m.sanitizer.scheduler_acts();
}

std::string text(place const& where);
std::string text_of_byte(std::uint32_t address);
std::string heading();
[[noreturn]] void fail(place const& where, std::string const& sentence);
/// Notes a barrier, a wait or a fence; whether it is one to be left out.
bool left_out(place const& where);

void give_way();
void wait_in(char const* what, place const& where, std::string which = {});
void wake(cuda_thread& t);
/// Under a seed, after anything that others may see.
void perhaps_give_way();

/// Fails if something was found wrong with a deed, in words that "shared memory" ends.
void judge(shared_memory::finding const& found, char const* deed, std::size_t bytes, place const& where);
void read(std::uint32_t from, std::size_t bytes, place const& where);
void write(std::uint32_t to, std::size_t bytes, place const& where);

/// Lets one tile that is on its way arrive; whether there was one.
bool land_a_tile();
/// Fails if a thread ends with copies, or its warp with products, that nobody waited for.
void check_copies_are_over(cuda_thread const& t);
void check_tiles_are_over(cuda_thread const& t);
void check_products_are_over(cuda_thread const& t);
/// The same for a block.
void check_tiles_are_over();
void check_barriers_are_left();

mbarrier& find_mbarrier(std::uint32_t address, place const& where);
/// Ends the phase if all is there.
void advance(std::uint32_t address, mbarrier& b);
std::string text_of_mbarriers();

float number(operand type, std::uint32_t bits, int half);

/// All lanes of the warp meet; the last one does `all`, given every lane's operand.
template <class All>
void meet(char const* what, place const& where, void* operand, All all) {
  cuda_thread& self = *m.running;
  warp& w = m.warp_at_work();
  if (w.arrived == 0) w.what = what, w.where = where;
  else if (w.what != what || w.where.line() != where.line() || w.where.column() != where.column())
    fail(where, std::string("came to ") + what + " while " + std::to_string(w.arrived) + " lanes of its warp are in " + w.what +
                    " at " + text(w.where));
  w.operand[static_cast<std::size_t>(self.lane())] = operand;
  if (++w.arrived < warp_size) return wait_in(what, where);
  w.arrived = 0;
  all(w.operand);
  for (unsigned i = 0; i < warp_size; ++i)
    if (auto& other = *m.threads[self.index / warp_size * warp_size + i]; &other != &self) wake(other);
  perhaps_give_way();
}
/// Does something for each of the warp's threads.
template <class Deed>
void for_lanes(Deed deed) {
  unsigned const first = m.running->index / warp_size * warp_size;
  for (unsigned i = 0; i < warp_size; ++i) deed(*m.threads[first + i], i);
}

} // namespace attend::emulator
