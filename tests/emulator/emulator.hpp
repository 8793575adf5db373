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

/// When copies of tiles and products of warpgroups take effect: a kernel has to be right with both. Late is for tiles to
/// be loaded when no thread can run, or at random moments under a seed, the rest at the wait for it; early is at once.
enum class landing { late, early };

/// How launches that follow are run.
struct settings {
  std::uint64_t seed = 0;       ///< 0: threads run in turn; else in a random order, another one for every seed
  landing order = landing::late;
  int shared_bytes = 227 << 10; ///< the most that a block may have
  bool sm_90 = false;           ///< whether the device is said to have the instructions of sm_90a
  int multiprocessors = 3;
  std::string skip;             ///< "file:line" of a barrier, a wait or a fence to be left out, as if it were forgotten
};
extern settings options;

/// What was executed since it was last set to {}.
struct counters {
  long blocks = 0, products = 0, copies = 0, barriers = 0, tiles = 0, warpgroup_products = 0;
  std::set<std::string> waits; ///< "file:line" of barriers, waits and fences: what can be left out
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

// What those of machine/attend/kernels/cuda/ptx_sm90.cuh are made of.
unsigned grid_size();
int warp_uniform(int x, place where);
int of_first_lane(int x, place where);
void mbarrier_init(std::uint32_t barrier, unsigned arrivals, place where);
void mbarrier_arrive(std::uint32_t barrier, unsigned bytes_expected, place where);
void mbarrier_wait(std::uint32_t barrier, unsigned parity, place where);
void named_barrier(int id, int threads, place where);
void named_barrier_arrive(int id, int threads, place where);
void lower_registers(int count, place where);
void raise_registers(int count, place where);

/// A tensor of 16-bit elements, as ptx::tile_tensor describes it; what a CUtensorMap contains here.
struct tile_map {
  static constexpr std::uint64_t mark = 0x6174'7465'6e64'2d74; ///< by which others are told apart
  std::uint64_t made_here = 0;
  std::byte* data = nullptr;
  std::uint64_t stride[4] = {};
  std::uint32_t extent[5] = {}, box[5] = {};
};
void check_map(void const* map, place where);
void load_tile(std::uint32_t to, void const* map, std::uint32_t barrier, int const* from, place where);
void store_tile(void const* map, std::uint32_t from, int const* to, place where);
void store_tile_commit(place where);
void store_tile_wait(place where);
void async_fence(place where);

/// One lane's part in a product of a warpgroup: (64, 16) by (16, 8 blocks).
struct warpgroup_product {
  operand type;
  int blocks;
  bool transposed, add;
  float* d;                       ///< 4 for each block
  std::uint32_t const* registers; ///< four with a, or null
  std::uint64_t a, b;             ///< operands in shared memory, a's if it is not in registers
};
void products_fence(place where);
void begin_product(warpgroup_product const& mine, place where);
void products_commit(place where);
/// `d` is what becomes of the products that are over.
void products_wait(int pending, float* d, place where);

/// Runs a grid of blocks, one after the other. `thread` is the kernel with its arguments.
void run(char const* name, position grid, unsigned threads, std::size_t shared_bytes, std::function<void()> const& thread);

} // namespace attend::emulator
