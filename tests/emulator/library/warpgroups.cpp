// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of a warpgroup, each warp's quarter on its own. What a product reads is checked when it begins, in the name of
// the warp's tensor core, which knows what the warp's threads know; what it reads is not free until the wait for it.
#include "machine.hpp"
#include <algorithm>
#include <bit>
#include <utility>

namespace attend::emulator {

namespace {

constexpr int depth = 16, rows = 64, quarter_rows = 16, most_columns = 256;
constexpr std::uint32_t line_bytes = 128, eight_lines = 1024, chunk_bytes = 16;
constexpr float poison = std::bit_cast<float>(0x7fc0dead); // not a number that arithmetic makes

/// A chunk of 8 elements of an operand in shared memory.
struct operand_in_shared {
  std::uint32_t start, panel_bytes;
  bool by_depth; // lines are of elements of different k

  explicit operand_in_shared(std::uint64_t encoded, bool transposed)
      : start(static_cast<std::uint32_t>(encoded & 0x3fff) << 4), panel_bytes(static_cast<std::uint32_t>(encoded >> 16 & 0x3fff) << 4),
        by_depth(!transposed) {}

  /// Of row or column `x`, k from 8 `eighth` on; of a transposed operand of k the x from 8 `eighth` on.
  std::uint32_t chunk(std::uint32_t line, std::uint32_t eighth) const {
    std::uint32_t const plain = by_depth ? start + line * line_bytes + eighth * chunk_bytes
                                         : start + eighth / 8 * panel_bytes + line * line_bytes + eighth % 8 * chunk_bytes;
    return plain ^ (plain >> 3 & 0x70);
  }
};
void check_encoding(std::uint64_t encoded, bool transposed, char const* which, place const& where) {
  auto const wrong = [&](std::string const& what) { fail(where, std::string("begins a product whose ") + which + " " + what); };
  if (encoded >> 62 != 1 || (encoded >> 32 & 0x3fff) << 4 != eight_lines || (encoded >> 49 & 7) != 0) wrong("is not made by product_operand");
  operand_in_shared const x(encoded, transposed);
  if (x.start % eight_lines >= line_bytes || x.start % 32 != 0 || (transposed && x.start % eight_lines != 0))
    wrong("begins at " + text_of_byte(x.start) + ", not in the first of 8 lines of 128 bytes");
  if (transposed && x.panel_bytes % eight_lines != 0) wrong("has panels of " + std::to_string(x.panel_bytes) + " bytes");
}

/// Lines and eighths of a or b.
template <class Deed>
void for_chunks(int lines, int first_line, int eighths, Deed deed) {
  for (int line = 0; line < lines; ++line)
    for (int eighth = 0; eighth < eighths; ++eighth) deed(static_cast<std::uint32_t>(line + first_line), static_cast<std::uint32_t>(eighth));
}
struct extent {
  int lines, eighths;
};
extent extent_of_b(warpgroup_product const& p) { return p.transposed ? extent{depth, p.blocks} : extent{8 * p.blocks, depth / 8}; }
int quarter() { return static_cast<int>(m.running->index / warp_size % 4); }

void check_reads(std::uint64_t encoded, bool transposed, extent const& of, warp const& w, place const& where) {
  operand_in_shared const x(encoded, transposed);
  observer const core{w.core, w.now, w.seen, true};
  for_chunks(of.lines, 0, of.eighths, [&](std::uint32_t line, std::uint32_t eighth) {
    std::uint32_t const chunk = x.chunk(line, eighth);
    judge(m.shared.within(chunk, chunk_bytes, chunk_bytes), "begins a product that reads", chunk_bytes, where);
    judge(m.shared.read(core, chunk, chunk_bytes), "begins a product that reads", chunk_bytes, where);
  });
}

struct matrices {
  double a[quarter_rows][depth];
  double b[depth][most_columns];
};
float of_16_bits(operand type, std::uint16_t bits) {
  if (type == operand::bf16) return std::bit_cast<float>(std::uint32_t{bits} << 16);
  static auto const all = [] {
    std::vector<float> numbers(1 << 16);
    for (std::uint32_t i = 0; i < numbers.size(); ++i) numbers[i] = number(operand::f16, i, 0);
    return numbers;
  }();
  return all[bits];
}
template <class Store>
void load(std::uint64_t encoded, bool transposed, extent const& of, int first_line, operand type, Store store) {
  operand_in_shared const x(encoded, transposed);
  for_chunks(of.lines, first_line, of.eighths, [&](std::uint32_t line, std::uint32_t eighth) {
    std::uint16_t bits[8];
    std::memcpy(bits, m.shared.at(x.chunk(line, eighth)), sizeof bits);
    for (std::uint32_t i = 0; i < 8; ++i) store(static_cast<int>(line) - first_line, 8 * eighth + i, of_16_bits(type, bits[i]));
  });
}
void load_a(product_begun const& p, matrices& to) {
  if (p.what.registers == nullptr)
    return load(p.what.a, false, {quarter_rows, depth / 8}, quarter_rows * quarter(), p.what.type,
                [&](int line, std::uint32_t k, float x) { to.a[line][k] = x; });
  for (std::size_t lane = 0; lane < warp_size; ++lane)
    for (std::size_t r = 0; r < 4; ++r)
      for (std::size_t half = 0; half < 2; ++half)
        to.a[lane / 4 + 8 * (r % 2)][2 * (lane % 4) + half + 8 * (r / 2)] =
            of_16_bits(p.what.type, static_cast<std::uint16_t>(p.a[lane][r] >> (16 * half)));
}
void load_b(product_begun const& p, matrices& to) {
  load(p.what.b, p.what.transposed, extent_of_b(p.what), 0, p.what.type, [&](int line, std::uint32_t i, float x) {
    if (p.what.transposed) to.b[line][i] = x;
    else to.b[i][line] = x;
  });
}

/// Adds the product to what the lanes hold, or puts it there.
void multiply(product_begun const& p, sums_under_way& sums) {
  static matrices of; // large for the stack of a thread
  load_a(p, of), load_b(p, of);
  int const columns = 8 * p.what.blocks;
  for (int row = 0; row < quarter_rows; ++row) {
    double sum[most_columns];
    auto const value = [&](int column) -> float& {
      auto const lane = static_cast<std::size_t>(row % 8 * 4 + column % 8 / 2);
      auto const within = static_cast<std::size_t>(column / 8 * 4 + row / 8 * 2 + column % 2);
      return sums.values[lane * static_cast<std::size_t>(4 * p.what.blocks) + within];
    };
    for (int j = 0; j < columns; ++j) sum[j] = p.what.add ? value(j) : 0;
    for (int k = 0; k < depth; ++k)
      for (int j = 0; j < columns; ++j) sum[j] += of.a[row][k] * of.b[k][j];
    for (int j = 0; j < columns; ++j) value(j) = static_cast<float>(sum[j]);
  }
}

template <class Deed>
void for_registers(sums_under_way& sums, Deed deed) {
  auto const count = static_cast<std::size_t>(4 * sums.blocks);
  for (std::size_t lane = 0; lane < warp_size; ++lane)
    for (std::size_t i = 0; i < count; ++i) deed(sums.registers[lane][i], sums.values[lane * count + i]);
}
/// The registers are the tensor core's until the wait that names them.
void check_untouched(sums_under_way& sums, place const& where) {
  if (options.order == landing::early) return;
  for_registers(sums, [&](float& there, float&) {
    if (std::bit_cast<std::uint32_t>(there) != std::bit_cast<std::uint32_t>(poison))
      fail(where, "finds that the sums of the product begun at " + text(sums.where) + " were touched before the wait for it");
  });
}
std::size_t sums_in(std::array<float*, warp_size> const& registers, int blocks, warp& w, place const& where) {
  for (auto& [number, sums] : w.sums)
    if (sums.registers[0] == registers[0]) {
      if (sums.blocks != blocks) fail(where, "begins a product of another width to the sums of the one begun at " + text(sums.where));
      check_untouched(sums, where);
      return number;
    }
  sums_under_way& sums = w.sums[++w.sums_so_far];
  sums = {registers, blocks, 0, std::vector<float>(static_cast<std::size_t>(warp_size * 4 * blocks)), where};
  for_registers(sums, [](float& there, float& value) {
    value = there;
    if (options.order == landing::late) there = poison;
  });
  return w.sums_so_far;
}

/// The core knows what the lanes know, and they know that what they did is over.
void teach_core(warp& w) {
  for_lanes([&](cuda_thread& t, unsigned lane) {
    if (w.lanes_learned[lane] == t.learned) w.seen.raise(t.index, t.now());
    else w.seen.join(t.seen);
    w.lanes_learned[lane] = t.learned;
    t.seen.raise(t.index, t.now() + 1);
  });
}
void begin(warp& w, std::array<void*, warp_size> const& lanes, place const& where) {
  auto const lane = [&](std::size_t i) -> warpgroup_product const& { return *static_cast<warpgroup_product const*>(lanes[i]); };
  product_begun p{lane(0), {}, {}, 0, where};
  std::array<float*, warp_size> registers;
  for (std::size_t i = 0; i < warp_size; ++i) {
    warpgroup_product const& other = lane(i);
    registers[i] = other.d;
    if (other.a != p.what.a || other.b != p.what.b || other.add != p.what.add)
      fail(where, "begins a product whose operands differ between lanes of the warp");
    p.a_of[i] = other.registers;
    if (other.registers != nullptr) sanitizer::copy(p.a[i].data(), other.registers, sizeof p.a[i]);
  }
  if (!w.fenced) fail(where, "begins a product with no products_fence before it");
  teach_core(w);
  if (p.what.registers == nullptr) {
    check_encoding(p.what.a, false, "a", where);
    check_reads(p.what.a, false, {rows, depth / 8}, w, where); // the instruction is the warpgroup's: no warp knows who reads what
  }
  check_encoding(p.what.b, p.what.transposed, "b", where);
  check_reads(p.what.b, p.what.transposed, extent_of_b(p.what), w, where);
  p.sums = sums_in(registers, p.what.blocks, w, where);
  auto& sums = w.sums.at(p.sums);
  ++sums.products;
  if (options.order == landing::early) {
    for_registers(sums, [](float& there, float& value) { value = there; });
    multiply(p, sums);
    for_registers(sums, [](float& there, float& value) { there = value; });
  }
  w.open.push_back(std::move(p));
}

/// A group is over.
void finish(warp& w, product_group const& group, place const& where) {
  for (product_begun const& p : group.products) {
    for (std::size_t i = 0; i < warp_size && p.a_of[i] != nullptr; ++i)
      if (!std::equal(p.a[i].begin(), p.a[i].end(), p.a_of[i]))
        fail(where, "finds that registers which the product begun at " + text(p.where) + " reads were changed before the wait for it");
    auto& sums = w.sums.at(p.sums);
    if (options.order == landing::late) multiply(p, sums);
    --sums.products;
  }
  for_lanes([&](cuda_thread& t, unsigned) { t.learn(w.core, group.when); });
}
/// Its products are over: the registers are the warp's again.
void give_back(warp& w, float const* registers, place const& where) {
  for (auto at = w.sums.begin(); at != w.sums.end(); ++at) {
    sums_under_way& sums = at->second;
    if (sums.registers[0] != registers) continue;
    if (sums.products > 0) return;
    check_untouched(sums, where);
    for_registers(sums, [](float& there, float& value) {
      if (options.order == landing::late) there = value;
    });
    w.sums.erase(at);
    return;
  }
}

} // namespace

void products_fence(place where) {
  inside const guard;
  if (left_out(where)) return;
  meet("products_fence", where, nullptr, [](auto const&) { m.warp_at_work().fenced = true; });
}
void begin_product(warpgroup_product const& mine, place where) {
  inside const guard;
  warpgroup_product self = mine;
  meet("a product of a warpgroup", where, &self, [&](auto const& lanes) {
    counts.warpgroup_products += quarter() == 0 ? 1 : 0;
    begin(m.warp_at_work(), lanes, where);
  });
}
void products_commit(place where) {
  inside const guard;
  meet("products_commit", where, nullptr, [](auto const&) {
    warp& w = m.warp_at_work();
    w.groups.push_back({std::move(w.open), w.now++});
    w.open.clear();
    w.fenced = false;
  });
}
void products_wait(int pending, float* d, place where) {
  inside const guard;
  if (left_out(where)) return;
  meet("products_wait", where, d, [&](auto const& lanes) {
    warp& w = m.warp_at_work();
    for (; static_cast<int>(w.groups.size()) > pending; w.groups.pop_front()) finish(w, w.groups.front(), where);
    give_back(w, static_cast<float const*>(lanes[0]), where);
  });
}
void check_products_are_over(cuda_thread const& t) {
  warp const& w = m.warps[t.index / warp_size];
  if (!w.open.empty()) fail(w.open[0].where, "begins a product that is in no group when the thread ends");
  for (product_group const& group : w.groups)
    if (!group.products.empty()) fail(group.products[0].where, "begins a product that it never waits for");
  for (auto const& [number, sums] : w.sums) fail(sums.where, "begins a product to sums that no wait names");
}

} // namespace attend::emulator
