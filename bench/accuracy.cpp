// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes inputs, results and the float64 oracle's values as .npy files, for errors to be counted the same way for all.
//
//   bench_accuracy                  lists the cases, a name a line
//   bench_accuracy NAME FOLDER      writes q, k, v, ours (f32) and oracle (f64) of a case into the folder
#include "npy.hpp"
#include "operands.hpp"
#include <cstdlib>
#include <iostream>
#include <oneapi/tbb/parallel_for.h>
#include <sstream>

namespace {

using namespace bench;

// The operands of one head.
template <class T, class D>
struct head {
  decltype(attend::view(std::declval<T const*>(), s = 1, d = D{})) q;
  decltype(attend::view(std::declval<T const*>(), t = 1, d = D{})) k, v;
  float scale;
};

template <class Tensor>
void write_f32(std::filesystem::path const& path, Tensor const& x, std::vector<long> const& shape) {
  std::vector<float> const wide(x.begin(), x.end()); // exact
  write_npy<float>(path, wide, shape);
}

template <class T, class D, class Formula>
void write_case(problem const& p, Formula formula, std::filesystem::path const& folder) {
  operands<T, D> x(p);
  evaluate(into(x.out), formula(x));

  // head by head: the oracle stores every score
  long const one = p.queries * D::value;
  std::vector<double> expected(static_cast<std::size_t>(x.out.size()));
  tbb::parallel_for(0l, p.batch * p.heads, [&](long i) {
    T const *q = x.q.data() + i * one, *k = x.k.data() + i * one, *v = x.v.data() + i * one;
    head<T, D> const h{attend::view(q, s = p.queries, d = D{}), attend::view(k, t = p.keys, d = D{}),
                       attend::view(v, t = p.keys, d = D{}), x.scale};
    auto const values = attend::oracle(formula(h)).values;
    std::copy(values.begin(), values.end(), expected.begin() + i * one);
  });

  std::vector<long> const shape{p.batch, p.heads, p.queries, D::value};
  write_f32(folder / "q.npy", x.q, shape);
  write_f32(folder / "k.npy", x.k, shape);
  write_f32(folder / "v.npy", x.v, shape);
  write_f32(folder / "ours.npy", x.out, shape);
  write_npy<double>(folder / "oracle.npy", expected, shape);
}

struct entry {
  std::string name;
  std::function<void(std::filesystem::path const&)> write;
};

template <class T, class D>
void list_shape(std::vector<entry>& list, long batch, long heads, long length) {
  problem const p{"accuracy", dtype_name<T>(), "", batch, heads, heads, length, length, D::value};
  auto const name = [&](char const* score) {
    std::ostringstream out;
    out << p.dtype << '/' << score << '/' << batch << 'x' << heads << 'x' << length << 'x' << D::value;
    return out.str();
  };
  list.push_back({name("full"), [p](auto const& folder) { write_case<T, D>(p, full_attention, folder); }});
  list.push_back({name("causal"), [p](auto const& folder) { write_case<T, D>(p, causal_attention, folder); }});
}

// Long sequences have two heads: the oracle takes its time.
template <class T>
void list_dtype(std::vector<entry>& list) {
  list_shape<T, decltype(64_c)>(list, 32, 8, 128);
  for (long const length : {1024, 4096}) {
    list_shape<T, decltype(64_c)>(list, 1, 2, length);
    list_shape<T, decltype(128_c)>(list, 1, 2, length);
  }
}

} // namespace

int main(int argc, char** argv) try {
  std::vector<entry> list;
  list_dtype<float>(list);
  list_dtype<attend::bf16>(list);
  for (auto const& e : list)
    if (argc < 3) std::cout << e.name << '\n';
    else if (e.name == argv[1]) return e.write(argv[2]), EXIT_SUCCESS;
  return argc < 3 ? EXIT_SUCCESS : EXIT_FAILURE;
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
