// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory between two pages that nobody may touch. A kernel that does ends the program with a sentence.
#include "global_memory.hpp"
#include <emulator/emulator.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <list>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

namespace attend::emulator {
namespace {

std::list<global_memory const*> all;

std::string text(std::ptrdiff_t bytes, char const* where, global_memory const& of) {
  return std::to_string(bytes) + " bytes " + where + " '" + of.name() + "' (" + std::to_string(of.size()) + " bytes)";
}
/// Where an address lies that is in no global_memory.
std::string nearest(std::byte const* p) {
  std::string found = "outside every tensor";
  std::ptrdiff_t least = 1 << 16;
  for (global_memory const* g : all) {
    std::ptrdiff_t const before = g->data() - p, behind = p - (g->data() + g->size());
    if (before > 0 && before < least) least = before, found = text(before, "before", *g);
    if (behind >= 0 && behind < least) least = behind, found = text(behind, "behind the end of", *g);
  }
  return found;
}

void report(int signal, siginfo_t* info, void*) {
  std::string const who = running_thread();
  if (!who.empty()) {
    std::string const sentence = who + " touches memory " + nearest(static_cast<std::byte const*>(info->si_addr)) + "\n";
    static_cast<void>(!write(STDERR_FILENO, sentence.data(), sentence.size()));
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Faults are reported on a stack of their own: the thread's may be what overflowed.
void watch() {
  static bool const once = [] {
    static std::byte stack[1 << 16];
    stack_t alternative{};
    alternative.ss_sp = stack, alternative.ss_size = sizeof stack;
    sigaltstack(&alternative, nullptr);
    struct sigaction action{};
    action.sa_sigaction = report;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
    return true;
  }();
  static_cast<void>(once);
}

} // namespace

// The data ends where the page behind it begins, as far as an alignment of 16 bytes allows.
global_memory::global_memory(std::string name, std::size_t bytes) : name_(std::move(name)), bytes_(bytes) {
  watch();
  std::size_t const page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE)), room = (bytes + 15) / 16 * 16;
  mapped_ = (room + page - 1) / page * page + 2 * page;
  void* const map = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) throw std::bad_alloc();
  map_ = static_cast<std::byte*>(map);
  mprotect(map_, page, PROT_NONE);
  mprotect(map_ + mapped_ - page, page, PROT_NONE);
  std::memset(map_ + page, 0xff, mapped_ - 2 * page); // not a number, whatever is read
  data_ = map_ + mapped_ - page - room;
  all.push_back(this);
}
global_memory::~global_memory() {
  all.remove(this);
  munmap(map_, mapped_);
}

std::string outside_of_global_memory(void const* from, std::size_t bytes) {
  auto const* const p = static_cast<std::byte const*>(from);
  for (global_memory const* g : all) {
    if (p >= g->data() && p + bytes <= g->data() + g->size()) return {};
    if (p >= g->data() && p < g->data() + g->size())
      return text(p + bytes - (g->data() + g->size()), "across the end of", *g);
  }
  return nearest(p);
}

} // namespace attend::emulator
