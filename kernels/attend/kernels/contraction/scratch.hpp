// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The scratch memory of a contraction's threads.
#pragma once
#include <attend/kernels/isa.hpp>
#include <cstddef>
#include <memory>
#include <new>

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail {

// A thread's buffer: reused from call to call, and given back with the thread, or at once if it grew past what is kept.
class scratch {
  static constexpr std::size_t kept = std::size_t(64) << 20;
  struct release {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t(4096)); }
  };
  std::unique_ptr<std::byte[], release> data_;
  std::size_t size_ = 0;

public:
  [[gnu::cold]] std::byte* take(std::size_t bytes) {
    if (bytes > size_) {
      data_.reset();
      size_ = 0;
      data_.reset(static_cast<std::byte*>(::operator new[](bytes, std::align_val_t(4096))));
      size_ = bytes;
    }
    return data_.get();
  }
  void done() {
    if (size_ <= kept) return;
    data_.reset();
    size_ = 0;
  }
  static scratch& of_this_thread() {
    thread_local scratch mine;
    return mine;
  }
};

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail
