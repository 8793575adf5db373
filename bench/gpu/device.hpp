// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The stream on which everything runs, and how a call on it is timed.
#pragma once
#include "../cases.hpp"
#include <cuda_runtime_api.h>

namespace bench {

/// Throws std::runtime_error unless a call of CUDA has succeeded.
void must(cudaError_t status);

/// The stream on which everything runs.
cudaStream_t stream();

/// A call ready to be timed by events: a graph of as many of it as take a millisecond, so that what the host does to
/// start one is not measured, for us nor for others. Warms up.
class repeated {
public:
  explicit repeated(call const& one);
  repeated(repeated const&) = delete;
  ~repeated();
  /// The mean time of a call over replays that take `least` seconds.
  double seconds(double least) const;

private:
  double timed(long replays) const;

  call one_; // holds the operands
  long calls_ = 1;
  cudaGraphExec_t graph_ = nullptr;
};

// Each file's cases.
void add_depth_64();
void add_depth_128();
void add_depth_256();
void add_f32();

} // namespace bench
