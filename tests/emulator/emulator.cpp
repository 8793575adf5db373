// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The fibers of one block and what they meet at. Compiled without the thread sanitizer, so that it judges the kernels
// alone; which thread is at work, and what orders threads, it is told by hand.
#include "emulator.hpp"
#include "global_memory.hpp"
#include "sanitizers.hpp"
#include "shadow.hpp"
#include <algorithm>
#include <array>
#include <bit>
#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <deque>
#include <map>
#include <random>
#include <sstream>

namespace attend::emulator {

settings options;
counters counts;

namespace {

namespace context = boost::context;
constexpr int warp_size = 32;
constexpr std::size_t stack_bytes = 256 << 10;

struct copy {
  std::uint32_t to;
  void const* from;
  std::size_t bytes, read;
  place where;
};

struct warp {
  char const* what = nullptr; // the collective that some lanes are in
  place where;
  int arrived = 0;
  std::array<void*, warp_size> operand{};
};

struct cuda_thread {
  context::fiber self; // while it does not run
  unsigned index = 0;
  bool done = true;
  char const* what = nullptr; // what it waits for
  place where;
  std::vector<copy> open;
  std::deque<std::vector<copy>> groups;
  void* tsan = nullptr;
  sanitizer::stack stack;

  int lane() const { return static_cast<int>(index % warp_size); }
};

struct machine {
  char const* name = "";
  position block;
  std::function<void()> const* kernel = nullptr;
  std::vector<std::unique_ptr<cuda_thread>> threads; // kept from block to block
  std::vector<warp> warps;
  unsigned count = 0, at_barrier = 0;
  place barrier_where;
  shared_memory shared;
  std::deque<cuda_thread*> ready;
  cuda_thread* running = nullptr;
  context::fiber scheduler; // while a thread runs
  std::exception_ptr failure;
  std::mt19937_64 random;
  sanitizer::threads sanitizer;
  char begun = 0, ended = 0; // what orders a launch, to the thread sanitizer

  ~machine();
} m;

/// While the scheduler works.
struct at_work {
  at_work() { m.sanitizer.begin(); }
  ~at_work() { m.sanitizer.end(); }
  at_work(at_work const&) = delete;
};

/// While the emulator itself is at work, in a thread's name or not, the sanitizer takes it for the scheduler.
struct inside {
  inside() { m.sanitizer.scheduler_acts(); }
  ~inside() { m.sanitizer.thread_acts(m.running->tsan); }
  inside(inside const&) = delete;
};

std::string text(place const& where) {
  std::string const file = where.file_name();
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line());
}
std::string heading() {
  std::ostringstream out;
  out << "kernel " << m.name << ", block (" << m.block.x << "," << m.block.y << "," << m.block.z << "): ";
  return out.str();
}
[[noreturn]] void fail(place const& where, std::string const& sentence) {
  throw error(heading() + "thread " + std::to_string(m.running->index) + " at " + text(where) + " " + sentence);
}

/// To the scheduler and back, or back for good, by an exception, when the fiber is destroyed.
void give_way() {
  struct arrival {
    cuda_thread& self = *m.running;
    ~arrival() { self.stack.arrive_in_thread(); }
  } const guard;
  m.running->stack.leave_thread();
  m.scheduler = std::move(m.scheduler).resume();
}
/// Notes a barrier or a wait; whether it is one to be left out.
bool left_out(place const& where) {
  std::string const here = text(where);
  counts.waits.insert(here);
  return here == options.skip;
}
/// In a CUDA thread's name, while the emulator is at work.
template <class Deed>
void on_behalf(cuda_thread const& t, Deed deed) {
  m.sanitizer.thread_acts(t.tsan);
  deed();
  m.sanitizer.scheduler_acts();
}
void wait_in(char const* what, place const& where) {
  m.running->what = what, m.running->where = where;
  give_way();
}
void wake(cuda_thread& t) {
  t.what = nullptr;
  m.ready.push_back(&t);
}
/// Under a seed, after anything that others may see.
void perhaps_give_way() {
  if (options.seed == 0 || m.random() % 4 != 0) return;
  wake(*m.running);
  give_way();
}

/// All lanes of the warp meet; the last one does `all`, given every lane's operand.
template <class All>
void meet(char const* what, place const& where, void* operand, All all) {
  cuda_thread& self = *m.running;
  warp& w = m.warps[self.index / warp_size];
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

void judge(shared_memory::finding const& found, char const* deed, std::size_t bytes, place const& where) {
  using verdict = shared_memory::verdict;
  if (found.what == verdict::fine) return;
  std::string const there = std::string(deed) + " shared memory at byte " + std::to_string(static_cast<std::int32_t>(found.byte));
  std::string const other = "thread " + std::to_string(found.thread);
  switch (found.what) {
  case verdict::outside:
    fail(where, there + ", " + std::to_string(bytes) + " bytes, outside the block's " + std::to_string(m.shared.size()));
  case verdict::unaligned: fail(where, there + ", which is not aligned to " + std::to_string(bytes) + " bytes");
  case verdict::unwritten: fail(where, there + ", which nothing has written");
  case verdict::written_by: fail(where, there + ", which " + other + " wrote with no barrier of the block between");
  case verdict::read_by: fail(where, there + ", which " + other + " read with no barrier of the block between");
  default: break;
  }
  std::string began;
  auto const find = [&](std::vector<copy> const& group) {
    for (copy const& c : group)
      if (found.byte + first_address >= c.to && found.byte + first_address < c.to + c.bytes) began = " began at " + text(c.where);
  };
  for (auto const& group : m.threads[found.thread]->groups) find(group);
  find(m.threads[found.thread]->open);
  fail(where, there + " before the wait for the copy that " + other + began);
}

void read(std::uint32_t from, std::size_t bytes, place const& where) {
  judge(m.shared.within(from, bytes, bytes), "reads", bytes, where);
  judge(m.shared.read(m.running->index, from, bytes), "reads", bytes, where);
}
void write(std::uint32_t to, std::size_t bytes, place const& where) {
  judge(m.shared.within(to, bytes, bytes), "writes", bytes, where);
  judge(m.shared.write(m.running->index, to, bytes), "writes", bytes, where);
}

/// One CUDA thread, block after block.
context::fiber live(context::fiber&& scheduler) {
  cuda_thread& self = *m.running;
  self.stack.arrive_in_thread();
  m.scheduler = std::move(scheduler);
  try {
    for (;;) {
      try {
        m.sanitizer.thread_acts(self.tsan);
        sanitizer::threads::acquire(&m.begun);
        (*m.kernel)();
        m.sanitizer.scheduler_acts();
        if (!self.open.empty()) fail(self.open[0].where, "began a copy that is in no group when the thread ends");
        for (auto const& group : self.groups)
          if (!group.empty()) fail(group[0].where, "began a copy that it never waits for");
      } catch (context::detail::forced_unwind const&) {
        throw;
      } catch (...) {
        m.sanitizer.scheduler_acts();
        m.failure = std::current_exception();
      }
      on_behalf(self, [] { sanitizer::threads::release(&m.ended); });
      self.done = true;
      give_way();
    }
  } catch (context::detail::forced_unwind const&) {
    m.sanitizer.scheduler_acts();
    self.stack.leave_thread_for_good();
    throw;
  }
}

/// A fiber's stack, known to its thread.
struct stack_of : context::protected_fixedsize_stack {
  cuda_thread* owner;
  explicit stack_of(cuda_thread& owner) : context::protected_fixedsize_stack(stack_bytes), owner(&owner) {}
  context::stack_context allocate() { return owner->stack.mine = context::protected_fixedsize_stack::allocate(); }
};
void resume(cuda_thread& t) {
  m.running = &t;
  t.stack.leave_scheduler();
  t.self = std::move(t.self).resume();
  t.stack.arrive_in_scheduler();
}
/// Unwinds what the threads are in and forgets them.
void abandon() {
  for (auto& t : m.threads) {
    m.running = t.get();
    on_behalf(*t, [] { sanitizer::threads::release(&m.ended); });
    sanitizer::threads::acquire(&m.ended);
    t->stack.leave_scheduler();
    t->self = {};
    t->stack.arrive_in_scheduler();
    on_behalf(*t, [] { sanitizer::threads::release(&m.ended); });
    sanitizer::threads::acquire(&m.ended);
    sanitizer::threads::destroy(t->tsan);
  }
  m.threads.clear();
  m.running = nullptr;
}

machine::~machine() {
  at_work const guard;
  abandon();
}

[[noreturn]] void report_deadlock() {
  std::map<std::string, std::vector<unsigned>> waiting;
  for (unsigned i = 0; i < m.count; ++i) {
    cuda_thread const& t = *m.threads[i];
    waiting[t.done ? "have ended" : std::string("wait in ") + t.what + " at " + text(t.where)].push_back(i);
  }
  std::ostringstream out;
  out << heading() << "deadlock";
  for (auto const& [where, who] : waiting) {
    out << "; threads ";
    for (std::size_t i = 0; i < who.size();) {
      std::size_t end = i + 1;
      while (end < who.size() && who[end] == who[end - 1] + 1) ++end;
      out << (i > 0 ? "," : "") << who[i];
      if (end > i + 1) out << "-" << who[end - 1];
      i = end;
    }
    out << " " << where;
  }
  throw error(out.str());
}

void run_block(unsigned threads, std::size_t shared_bytes) {
  ++counts.blocks;
  m.count = threads;
  m.at_barrier = 0;
  m.warps.assign(threads / warp_size, {});
  m.shared.begin(shared_bytes);
  m.ready.clear();
  while (m.threads.size() < threads) {
    auto t = std::make_unique<cuda_thread>();
    t->index = static_cast<unsigned>(m.threads.size());
    t->tsan = sanitizer::threads::create();
    t->self = context::fiber(std::allocator_arg, stack_of(*t), live);
    m.threads.push_back(std::move(t));
  }
  for (unsigned i = 0; i < threads; ++i) {
    cuda_thread& t = *m.threads[i];
    t.done = false, t.open.clear(), t.groups.clear();
    wake(t);
  }
  for (unsigned left = threads; left > 0;) {
    if (m.ready.empty()) report_deadlock();
    if (options.seed != 0) std::swap(m.ready.front(), m.ready[m.random() % m.ready.size()]);
    cuda_thread& next = *m.ready.front();
    m.ready.pop_front();
    resume(next);
    if (m.failure) std::rethrow_exception(m.failure);
    left -= next.done ? 1 : 0;
  }
}

float number(operand type, std::uint32_t bits, int half) {
  if (type == operand::tf32) return std::bit_cast<float>(bits & ~0x1fffu);
  std::uint16_t const of_half = static_cast<std::uint16_t>(bits >> (16 * half));
  if (type == operand::bf16) return __bfloat162float(__nv_bfloat16(__nv_bfloat16_raw{of_half}));
  return __half2float(__half(__half_raw{of_half}));
}

} // namespace

std::string running_thread() {
  return m.running == nullptr ? "" : heading() + "thread " + std::to_string(m.running->index);
}

unsigned thread_index() { return m.running->index; }
position block_index() { return m.block; }
std::uint32_t shared_base() { return first_address; }

void barrier(place where) {
  inside const guard;
  if (left_out(where)) return;
  if (m.at_barrier > 0 && (m.barrier_where.line() != where.line() || m.barrier_where.column() != where.column()))
    fail(where, "came to a barrier while " + std::to_string(m.at_barrier) + " threads of its block are in the one at " + text(m.barrier_where));
  m.barrier_where = where;
  on_behalf(*m.running, [] { sanitizer::threads::release(&m.at_barrier); });
  if (++m.at_barrier < m.count) wait_in("a barrier of the block", where);
  else {
    ++counts.barriers;
    m.at_barrier = 0;
    m.shared.barrier();
    for (unsigned i = 0; i < m.count; ++i)
      if (m.threads[i].get() != m.running) wake(*m.threads[i]);
    perhaps_give_way();
  }
  on_behalf(*m.running, [] { sanitizer::threads::acquire(&m.at_barrier); });
}

void shuffle(void* value, std::size_t bytes, int mask, place where) {
  inside const guard;
  struct lane {
    void* value;
    std::byte before[8];
    std::size_t bytes;
    int mask;
  } mine{value, {}, bytes, mask};
  sanitizer::copy(mine.before, value, bytes);
  meet("a shuffle", where, &mine, [](auto const& lanes) {
    for (std::size_t i = 0; i < warp_size; ++i) {
      lane& to = *static_cast<lane*>(lanes[i]);
      sanitizer::copy(to.value, static_cast<lane*>(lanes[i ^ static_cast<std::size_t>(to.mask)])->before, to.bytes);
    }
  });
}

std::uint32_t ballot(bool mine, place where) {
  inside const guard;
  struct lane {
    bool vote;
    std::uint32_t all;
  } self{mine, 0};
  meet("a ballot", where, &self, [](auto const& lanes) {
    std::uint32_t all = 0;
    for (std::size_t i = 0; i < warp_size; ++i) all |= static_cast<std::uint32_t>(static_cast<lane*>(lanes[i])->vote) << i;
    for (void* l : lanes) static_cast<lane*>(l)->all = all;
  });
  return self.all;
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
      m.shared.end_copy(m.running->index, c.to, c.bytes);
    }
}

// Lane i names row i % 8 of matrix i / 8. Of each 8 x 8 matrix, lane i gets elements 2 (i % 4) and the next of row i / 4,
// or of column i / 4 where it is transposed.
void load_matrix(std::uint32_t* registers, int matrices, std::uint32_t row, bool transposed, place where) {
  inside const guard;
  struct lane {
    std::uint32_t* registers;
    std::uint16_t row[8];
  } self{registers, {}};
  if (m.running->lane() < 8 * matrices) {
    read(row, 16, where);
    sanitizer::copy(self.row, m.shared.at(row), 16);
  }
  meet(transposed ? "ldmatrix.trans" : "ldmatrix", where, &self, [=](auto const& lanes) {
    auto const at = [&](int matrix, int i, int j) -> std::uint32_t {
      return static_cast<lane*>(lanes[static_cast<std::size_t>(8 * matrix + i)])->row[j];
    };
    for (int l = 0; l < warp_size; ++l)
      for (int k = 0; k < matrices; ++k) {
        int const i = l / 4, j = 2 * (l % 4);
        static_cast<lane*>(lanes[static_cast<std::size_t>(l)])->registers[k] =
            transposed ? at(k, j, i) | at(k, j + 1, i) << 16 : at(k, i, j) | at(k, i, j + 1) << 16;
      }
  });
}

// A register holds `per` elements of a row of a or of a column of b. a (16, 8 per): lane l has rows l / 4 and l / 4 + 8, of
// them the elements from per (l % 4) on and those 4 per further; b (8 per, 8): column l / 4, the same elements;
// d (16, 8): rows as a, columns 2 (l % 4) and the next.
void product(operand type, float* d, std::uint32_t const* a, std::uint32_t const* b, place where) {
  inside const guard;
  struct lane {
    float* d;
    std::uint32_t const *a, *b;
  } self{d, a, b};
  meet(type == operand::tf32 ? "mma.m16n8k8" : "mma.m16n8k16", where, &self, [type](auto const& lanes) {
    ++counts.products;
    int const per = type == operand::tf32 ? 1 : 2;
    float left[16][16], right[8][16];
    for (int l = 0; l < warp_size; ++l) {
      lane const& from = *static_cast<lane*>(lanes[static_cast<std::size_t>(l)]);
      for (int r = 0; r < 4; ++r)
        for (int half = 0; half < per; ++half)
          left[l / 4 + 8 * (r % 2)][per * (l % 4) + half + 4 * per * (r / 2)] = number(type, from.a[r], half);
      for (int r = 0; r < 2; ++r)
        for (int half = 0; half < per; ++half) right[l / 4][per * (l % 4) + half + 4 * per * r] = number(type, from.b[r], half);
    }
    for (int l = 0; l < warp_size; ++l)
      for (int i = 0; i < 4; ++i) {
        int const row = l / 4 + 8 * (i / 2), column = 2 * (l % 4) + i % 2;
        float& to = static_cast<lane*>(lanes[static_cast<std::size_t>(l)])->d[i];
        double sum = to;
        for (int k = 0; k < 8 * per; ++k) sum += static_cast<double>(left[row][k]) * right[column][k];
        to = static_cast<float>(sum);
      }
  });
}

void run(char const* name, position grid, unsigned threads, std::size_t shared_bytes, std::function<void()> const& thread) {
  m.name = name;
  if (threads == 0 || threads % warp_size != 0 || threads > 1024)
    throw error(std::string("kernel ") + name + ": a block of " + std::to_string(threads) + " threads");
  if (shared_bytes > static_cast<std::size_t>(options.shared_bytes))
    throw error(std::string("kernel ") + name + ": " + std::to_string(shared_bytes) + " bytes of shared memory");
  m.kernel = &thread;
  m.failure = nullptr;
  m.random.seed(options.seed);
  at_work const guard;
  sanitizer::threads::release(&m.begun);
  try {
    for (unsigned z = 0; z < grid.z; ++z)
      for (unsigned y = 0; y < grid.y; ++y)
        for (unsigned x = 0; x < grid.x; ++x) {
          m.block = {x, y, z};
          run_block(threads, shared_bytes);
        }
  } catch (...) {
    abandon();
    throw;
  }
  m.running = nullptr;
  sanitizer::threads::acquire(&m.ended);
}

} // namespace attend::emulator
