// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the emulator's parts know of global memory and of the thread at work.
#pragma once
#include <cstddef>
#include <string>

namespace attend::emulator {

/// Nothing if the bytes lie in one global_memory; else where they lie, in words.
std::string outside_of_global_memory(void const* from, std::size_t bytes);
/// Kernel, block and thread at work; empty outside kernels.
std::string running_thread();

} // namespace attend::emulator
