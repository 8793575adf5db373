// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the sanitizers are told. To the thread sanitizer a CUDA thread is a thread, and barriers order them; the address
// sanitizer learns which stack is in use. Nothing where a program is built without them.
#pragma once
#include <boost/context/stack_context.hpp>
#include <cstddef>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define ATTEND_EMULATOR_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ATTEND_EMULATOR_ASAN
#endif
#endif
#ifdef ATTEND_EMULATOR_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef ATTEND_EMULATOR_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned);
void __tsan_destroy_fiber(void*);
void __tsan_switch_to_fiber(void*, unsigned);
void __tsan_acquire(void*);
void __tsan_release(void*);
void __tsan_read_range(void*, unsigned long);
void __tsan_write_range(void*, unsigned long);
void AnnotateIgnoreReadsBegin(char const*, int);
void AnnotateIgnoreReadsEnd(char const*, int);
void AnnotateIgnoreWritesBegin(char const*, int);
void AnnotateIgnoreWritesEnd(char const*, int);
}
#endif

namespace attend::emulator::sanitizer {

/// Who the thread sanitizer takes to be at work: the scheduler or a CUDA thread.
class threads {
public:
#ifdef ATTEND_EMULATOR_TSAN
  static void* create() { return __tsan_create_fiber(0); }
  static void destroy(void* thread) { __tsan_destroy_fiber(thread); }
  /// From here to the end what the scheduler reads and writes is not judged: parts of the standard library that kernels'
  /// files have compiled work for it on the stacks of CUDA threads.
  void begin() {
    scheduler_ = __tsan_get_current_fiber();
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__), AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  void end() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__), AnnotateIgnoreWritesEnd(__FILE__, __LINE__); }
  void scheduler_acts() { __tsan_switch_to_fiber(scheduler_, 1); }
  void thread_acts(void* thread) { __tsan_switch_to_fiber(thread, 1); }
  static void acquire(void* what) { __tsan_acquire(what); }
  static void release(void* what) { __tsan_release(what); }
  static void read(void const* p, std::size_t bytes) { __tsan_read_range(const_cast<void*>(p), bytes); }
  static void write(void* p, std::size_t bytes) { __tsan_write_range(p, bytes); }

private:
  void* scheduler_ = nullptr;
#else
  static void* create() { return nullptr; }
  static void destroy(void*) {}
  void begin() {}
  void end() {}
  void scheduler_acts() {}
  void thread_acts(void*) {}
  static void acquire(void*) {}
  static void release(void*) {}
  static void read(void const*, std::size_t) {}
  static void write(void*, std::size_t) {}
#endif
};

/// The stack of a CUDA thread, and of the scheduler while the thread runs.
class stack {
public:
  boost::context::stack_context mine;

#ifdef ATTEND_EMULATOR_ASAN
  // Around every switch, on the side that leaves and on the side that arrives.
  void leave_scheduler() { __sanitizer_start_switch_fiber(&of_scheduler_, static_cast<char*>(mine.sp) - mine.size, mine.size); }
  void arrive_in_scheduler() { __sanitizer_finish_switch_fiber(of_scheduler_, nullptr, nullptr); }
  void leave_thread() { __sanitizer_start_switch_fiber(&of_thread_, bottom_, size_); }
  void leave_thread_for_good() { __sanitizer_start_switch_fiber(nullptr, bottom_, size_); }
  void arrive_in_thread() { __sanitizer_finish_switch_fiber(of_thread_, &bottom_, &size_); }

private:
  void *of_scheduler_ = nullptr, *of_thread_ = nullptr;
  void const* bottom_ = nullptr;
  std::size_t size_ = 0;
#else
  void leave_scheduler() {}
  void arrive_in_scheduler() {}
  void leave_thread() {}
  void leave_thread_for_good() {}
  void arrive_in_thread() {}
#endif
};

// The emulator's own copies to and from the stacks of CUDA threads: the thread sanitizer replaces the library's.
#ifdef ATTEND_EMULATOR_TSAN
inline void copy(void* to, void const* from, std::size_t bytes) {
  auto* const t = static_cast<unsigned char volatile*>(to);
  auto const* const f = static_cast<unsigned char const*>(from);
  for (std::size_t i = 0; i < bytes; ++i) t[i] = f[i];
}
#else
inline void copy(void* to, void const* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
#endif

} // namespace attend::emulator::sanitizer
