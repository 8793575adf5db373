// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The fibers of one block and their scheduler. The emulator is compiled without the thread sanitizer, so that it judges
// the kernels alone; which thread is at work, and what orders threads, it is told by hand.
#include "machine.hpp"
#include <algorithm>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <sstream>

namespace attend::emulator {

settings options;
counters counts;
machine m;

namespace {

constexpr std::size_t stack_bytes = 256 << 10;
constexpr unsigned registers_of_multiprocessor = 65536, most_registers = 256;

/// While the scheduler works.
struct at_work {
  at_work() { m.sanitizer.begin(); }
  ~at_work() { m.sanitizer.end(); }
  at_work(at_work const&) = delete;
};

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
        check_copies_are_over(self);
        check_tiles_are_over(self);
        check_products_are_over(self);
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

/// Numbers as ranges.
std::string text(std::vector<unsigned> const& who) {
  std::string out;
  for (std::size_t i = 0; i < who.size();) {
    std::size_t end = i + 1;
    while (end < who.size() && who[end] == who[end - 1] + 1) ++end;
    out += (i > 0 ? "," : "") + std::to_string(who[i]) + (end > i + 1 ? "-" + std::to_string(who[end - 1]) : "");
    i = end;
  }
  return out;
}
[[noreturn]] void report_deadlock() {
  std::map<std::string, std::vector<unsigned>> waiting;
  for (unsigned i = 0; i < m.count; ++i) {
    cuda_thread const& t = *m.threads[i];
    waiting[t.done ? "have ended" : std::string("wait in ") + t.what + t.which + " at " + emulator::text(t.where)].push_back(i);
  }
  std::string out = heading() + "deadlock";
  for (auto const& [where, who] : waiting) out += "; threads " + text(who) + " " + where;
  throw error(out + text_of_mbarriers());
}

void begin_threads() {
  while (m.threads.size() < m.count) {
    auto t = std::make_unique<cuda_thread>();
    t->index = static_cast<unsigned>(m.threads.size());
    t->tsan = sanitizer::threads::create();
    t->self = context::fiber(std::allocator_arg, stack_of(*t), live);
    m.threads.push_back(std::move(t));
  }
  for (unsigned i = 0; i < m.count; ++i) {
    cuda_thread& t = *m.threads[i];
    t.done = false, t.open.clear(), t.groups.clear();
    t.storer = 0, t.stores_now = 1, t.stores_open.clear(), t.stores.clear();
    t.seen.clear(), t.seen.raise(i, 1), t.learned = 1;
    wake(t);
  }
}
void begin_block(std::size_t shared_bytes) {
  ++counts.blocks;
  m.actors = m.count;
  int const registers = static_cast<int>(std::min(registers_of_multiprocessor / m.count / 8 * 8, most_registers));
  m.registers = static_cast<unsigned>(registers) * m.count;
  m.warps.clear();
  m.warps.resize(m.count / warp_size);
  for (warp& w : m.warps) w.core = m.actors++, w.registers = w.wanted = registers;
  m.barriers = {};
  m.mbarriers.clear(), m.loads.clear(), m.loaded.clear();
  m.shared.begin(shared_bytes, m.count);
  m.ready.clear();
  begin_threads();
}
void run_block(std::size_t shared_bytes) {
  begin_block(shared_bytes);
  for (unsigned left = m.count; left > 0;) {
    if (m.ready.empty()) {
      if (!land_a_tile()) report_deadlock();
      continue;
    }
    if (options.seed != 0) {
      if (!m.loads.empty() && m.random() % 64 == 0) land_a_tile();
      std::swap(m.ready.front(), m.ready[m.random() % m.ready.size()]);
    }
    cuda_thread& next = *m.ready.front();
    m.ready.pop_front();
    resume(next);
    if (m.failure) std::rethrow_exception(m.failure);
    left -= next.done ? 1 : 0;
  }
  check_tiles_are_over();
  check_barriers_are_left();
}

} // namespace

machine::~machine() {
  at_work const guard;
  abandon();
}

std::string text(place const& where) {
  std::string const file = where.file_name();
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line());
}
std::string text_of_byte(std::uint32_t address) { return "byte " + std::to_string(static_cast<std::int32_t>(address - first_address)); }
std::string heading() {
  std::ostringstream out;
  out << "kernel " << m.name << ", block (" << m.block.x << "," << m.block.y << "," << m.block.z << "): ";
  return out.str();
}
void fail(place const& where, std::string const& sentence) {
  throw error(heading() + "thread " + std::to_string(m.running->index) + " at " + text(where) + " " + sentence);
}
bool left_out(place const& where) {
  std::string const here = text(where);
  counts.waits.insert(here);
  return here == options.skip;
}

// To the scheduler and back, or back for good, by an exception, when the fiber is destroyed.
void give_way() {
  struct arrival {
    cuda_thread& self = *m.running;
    ~arrival() { self.stack.arrive_in_thread(); }
  } const guard;
  m.running->stack.leave_thread();
  m.scheduler = std::move(m.scheduler).resume();
}
void wait_in(char const* what, place const& where, std::string which) {
  m.running->what = what, m.running->which = std::move(which), m.running->where = where;
  give_way();
}
void wake(cuda_thread& t) {
  t.what = nullptr;
  m.ready.push_back(&t);
}
void perhaps_give_way() {
  if (options.seed == 0 || m.random() % 4 != 0) return;
  wake(*m.running);
  give_way();
}

std::string running_thread() { return m.running == nullptr ? "" : heading() + "thread " + std::to_string(m.running->index); }
unsigned thread_index() { return m.running->index; }
position block_index() { return m.block; }
unsigned grid_size() { return m.grid.x; }
std::uint32_t shared_base() { return first_address; }

void run(char const* name, position grid, unsigned threads, std::size_t shared_bytes, std::function<void()> const& thread) {
  m.name = name;
  if (threads == 0 || threads % warp_size != 0 || threads > 1024)
    throw error(std::string("kernel ") + name + ": a block of " + std::to_string(threads) + " threads");
  if (shared_bytes > static_cast<std::size_t>(options.shared_bytes))
    throw error(std::string("kernel ") + name + ": " + std::to_string(shared_bytes) + " bytes of shared memory");
  m.kernel = &thread;
  m.failure = nullptr;
  m.count = threads, m.grid = grid;
  m.random.seed(options.seed);
  at_work const guard;
  sanitizer::threads::release(&m.begun);
  try {
    for (unsigned z = 0; z < grid.z; ++z)
      for (unsigned y = 0; y < grid.y; ++y)
        for (unsigned x = 0; x < grid.x; ++x) {
          m.block = {x, y, z};
          run_block(shared_bytes);
        }
  } catch (...) {
    abandon();
    throw;
  }
  m.running = nullptr;
  sanitizer::threads::acquire(&m.ended);
}

} // namespace attend::emulator
