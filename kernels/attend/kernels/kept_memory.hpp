// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory between calls: each thread keeps its largest piece, so that fresh pages are not paid for in every call.
#pragma once
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace attend::kernels {

/// Memory for one Use, taken out of what the thread keeps for it and given back at the end: a thread that waits for
/// others may take up work of the same Use meanwhile, which must not find this piece.
template <class Use>
class kept_memory {
public:
  explicit kept_memory(long bytes) {
    if (bytes == 0) return;
    auto const wanted = static_cast<std::size_t>(bytes);
    if (spare().bytes >= wanted) mine_ = std::exchange(spare(), {});
    else mine_ = {pointer(static_cast<std::byte*>(::operator new(wanted, std::align_val_t{64}))), wanted};
  }
  kept_memory(kept_memory const&) = delete;
  kept_memory& operator=(kept_memory const&) = delete;
  ~kept_memory() {
    if (mine_.bytes > spare().bytes) spare() = std::move(mine_);
  }
  std::byte* data() const { return mine_.memory.get(); }
  /// Frees what this thread keeps.
  static void release() { spare() = {}; }

private:
  struct aligned_delete {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  using pointer = std::unique_ptr<std::byte, aligned_delete>;
  struct piece {
    pointer memory;
    std::size_t bytes = 0;
  };
  static piece& spare() {
    static thread_local piece kept;
    return kept;
  }
  piece mine_;
};

} // namespace attend::kernels
