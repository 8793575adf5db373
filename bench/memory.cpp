// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The peak memory of attention of one head, measured by the process that computes it.
//
//   bench_memory LENGTH [THREADS]      prints a JSON object: the length, its operands' and result's bytes, the growth
#include "operands.hpp"
#include "resident.hpp"
#include <cstdlib>
#include <iostream>
#include <oneapi/tbb/global_control.h>

namespace {

using namespace bench;
using depth = decltype(64_c);

void attend_once(long length) {
  evaluation<float, depth>({"memory", "f32", "full", 1, 1, 1, length, length, depth::value}, full_attention)();
}

} // namespace

int main(int argc, char** argv) {
  long const length = argc > 1 ? std::atol(argv[1]) : 1024;
  auto const threads = static_cast<std::size_t>(argc > 2 ? std::atol(argv[2]) : 2);
  tbb::global_control const workers(tbb::global_control::max_allowed_parallelism, threads);

  long const before = resident("VmRSS");
  attend_once(length);
  std::cout << "{\"length\": " << length << ", \"operands\": " << 4 * length * depth::value * long{sizeof(float)}
            << ", \"growth\": " << resident("VmHWM") - before << "}\n";
}
