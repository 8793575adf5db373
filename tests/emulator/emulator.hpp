// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A CUDA machine in one thread of a CPU: kernels are ordinary functions, a CUDA thread is a fiber, and an instruction
// that waits for others gives way to them. Mistakes that a GPU would turn into wrong numbers or silence are errors here.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

namespace attend::emulator {

/// What a kernel did wrong: names the kernel, the block, the threads and the lines.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// How launches that follow are run.
struct settings {
  std::uint64_t seed = 0;      ///< 0: threads run in turn; else in a random order, another one for every seed
  int shared_bytes = 227 << 10; ///< the most that a block may have
  std::string skip;             ///< "file:line" of a barrier or a wait for copies to be left out, as if it were forgotten
};
extern settings options;

/// What was executed since it was last set to {}.
struct counters {
  long blocks = 0, products = 0, copies = 0, barriers = 0;
  std::set<std::string> waits; ///< "file:line" of barriers and of waits for copies
};
extern counters counts;

/// Global memory of a kernel: exactly its size, known by name to the checks of asynchronous copies, and with a page that
/// nobody may touch before and behind it.
class global_memory {
public:
  global_memory(std::string name, std::size_t bytes);
  global_memory(global_memory const&) = delete;
  ~global_memory();
  std::byte* data() const { return data_; }
  std::size_t size() const { return bytes_; }
  std::string const& name() const { return name_; }

private:
  std::string name_;
  std::size_t bytes_, mapped_;
  std::byte *map_, *data_;
};

using place = std::source_location;
struct position {
  unsigned x = 0, y = 0, z = 0;
};

// What the instructions of machine/attend/kernels/cuda/ptx.cuh are made of. Addresses of shared memory are 32-bit, as
// the hardware's; 0 is none of them.
unsigned thread_index();
position block_index();
std::uint32_t shared_base();
void barrier(place where);
void shuffle(void* value, std::size_t bytes, int mask, place where);
std::uint32_t ballot(bool mine, place where);
void load_shared(std::uint32_t from, void* to, std::size_t bytes, place where);
void store_shared(std::uint32_t to, void const* from, std::size_t bytes, place where);
void copy_async(std::uint32_t to, void const* from, std::size_t bytes, std::size_t read, place where);
void copy_async_commit(place where);
void copy_async_wait(int pending, place where);
void load_matrix(std::uint32_t* registers, int matrices, std::uint32_t row, bool transposed, place where);
enum class operand { bf16, f16, tf32 };
void product(operand type, float* d, std::uint32_t const* a, std::uint32_t const* b, place where);
/// Runs a grid of blocks, one after the other. `thread` is the kernel with its arguments.
void run(char const* name, position grid, unsigned threads, std::size_t shared_bytes, std::function<void()> const& thread);

} // namespace attend::emulator
