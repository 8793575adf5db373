// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The thread sanitizer's interface for fibers: a CUDA thread is a thread to it, and a barrier orders them. Nothing
// where ATTEND_EMULATOR_TSAN is not defined.
#pragma once
#include <cstddef>

#ifdef ATTEND_EMULATOR_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned);
void __tsan_destroy_fiber(void*);
void __tsan_switch_to_fiber(void*, unsigned);
void __tsan_acquire(void*);
void __tsan_release(void*);
void __tsan_read_range(void*, unsigned long);
}
#endif

namespace attend::emulator::sanitizer {

class fibers {
public:
#ifdef ATTEND_EMULATOR_TSAN
  static void* create() { return __tsan_create_fiber(0); }
  static void destroy(void* fiber) { __tsan_destroy_fiber(fiber); }
  void scheduler_acts() { __tsan_switch_to_fiber(scheduler_, 1); }
  void thread_acts(void* fiber) { __tsan_switch_to_fiber(fiber, 1); }
  // The rest in a thread's name, while the scheduler acts.
  void acquire(void* fiber, void* from) { as(fiber, [&] { __tsan_acquire(from); }); }
  void release(void* fiber, void* to) { as(fiber, [&] { __tsan_release(to); }); }
  void read(void* fiber, void const* p, std::size_t bytes) { as(fiber, [&] { __tsan_read_range(const_cast<void*>(p), bytes); }); }
  /// A launch follows what its caller did before, and the caller goes on after all of it.
  void begin(void* order) { scheduler_ = __tsan_get_current_fiber(), __tsan_release(order); }
  void end(void* order) { __tsan_acquire(order); }

private:
  template <class Deed>
  void as(void* fiber, Deed deed) {
    thread_acts(fiber);
    deed();
    scheduler_acts();
  }
  void* scheduler_ = nullptr;
#else
  static void* create() { return nullptr; }
  static void destroy(void*) {}
  void scheduler_acts() {}
  void thread_acts(void*) {}
  void acquire(void*, void*) {}
  void release(void*, void*) {}
  void read(void*, void const*, std::size_t) {}
  void begin(void*) {}
  void end(void*) {}
#endif
};

} // namespace attend::emulator::sanitizer
