// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "device.hpp"
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace bench {
namespace {

/// Two events of a stream, and the time between them.
struct stopwatch {
  cudaEvent_t begin = nullptr, end = nullptr;
  stopwatch() {
    must(cudaEventCreate(&begin));
    must(cudaEventCreate(&end));
  }
  stopwatch(stopwatch const&) = delete;
  ~stopwatch() {
    static_cast<void>(cudaEventDestroy(begin));
    static_cast<void>(cudaEventDestroy(end));
  }
  template <class Work>
  double seconds(Work const& work) const {
    must(cudaEventRecord(begin, stream()));
    work();
    must(cudaEventRecord(end, stream()));
    must(cudaEventSynchronize(end));
    float milliseconds = 0;
    must(cudaEventElapsedTime(&milliseconds, begin, end));
    return 1e-3 * static_cast<double>(milliseconds);
  }
};

} // namespace

void must(cudaError_t status) {
  if (status != cudaSuccess)
    throw std::runtime_error(std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status));
}

cudaStream_t stream() {
  static cudaStream_t const one = [] {
    cudaStream_t created = nullptr;
    must(cudaStreamCreateWithFlags(&created, cudaStreamNonBlocking));
    return created;
  }();
  return one;
}

repeated::repeated(call const& one) : one_(one) {
  one_();
  one_();
  calls_ = std::clamp(std::lround(1e-3 / std::max(stopwatch().seconds(one_), 1e-6)), 1l, 200l);
  cudaGraph_t graph = nullptr;
  must(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal));
  try {
    for (long i = 0; i < calls_; ++i) one_();
  } catch (...) {
    static_cast<void>(cudaStreamEndCapture(stream(), &graph));
    throw;
  }
  must(cudaStreamEndCapture(stream(), &graph));
  auto const status = cudaGraphInstantiate(&graph_, graph, 0);
  static_cast<void>(cudaGraphDestroy(graph));
  must(status);
}

repeated::~repeated() {
  if (graph_) static_cast<void>(cudaGraphExecDestroy(graph_));
}

double repeated::timed(long replays) const {
  return stopwatch().seconds([&] {
    for (long i = 0; i < replays; ++i) must(cudaGraphLaunch(graph_, stream()));
  });
}

double repeated::seconds(double least) const {
  long const replays = std::max(1l, std::lround(std::ceil(least / timed(1))));
  return timed(replays) / static_cast<double>(replays * calls_);
}

} // namespace bench
