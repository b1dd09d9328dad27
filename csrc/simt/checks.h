// What the checked build hears of: the rest of the executor calls these, and in the other builds they are nothing.
// checks/memory.cpp, checks/races.cpp and checks/profile.cpp implement them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "executor.h"

namespace simt::checks {

#if defined(SIMT_CHECK)

void grid_begin();
void grid_end();
void block_begin();
void block_end();
// What these threads wrote before is visible to all of them after.
void threads_met(const std::uint16_t* threads, int count);
// A warp has come to a common point (all warps of the block where `warp` is -1): accesses before and after it are
// different requests to memory.
void warp_met(int warp, unsigned lanes);
void fence();
void lane_returned(std::uint32_t warp, std::uint32_t lane);
void shared_memory_carved(std::size_t offset, std::size_t bytes);
void copy_issued(const void* shared, unsigned bytes, const void* pc);
void copy_landed(const void* shared, unsigned bytes);
void access(const void* address, unsigned bytes, unsigned flags, const void* pc);

#else

inline void grid_begin() {}
inline void grid_end() {}
inline void block_begin() {}
inline void block_end() {}
inline void threads_met(const std::uint16_t*, int) {}
inline void warp_met(int, unsigned) {}
inline void fence() {}
inline void lane_returned(std::uint32_t, std::uint32_t) {}
inline void shared_memory_carved(std::size_t, std::size_t) {}
inline void copy_issued(const void*, unsigned, const void*) {}
inline void copy_landed(const void*, unsigned) {}
inline void access(const void*, unsigned, unsigned, const void*) {}

#endif

}  // namespace simt::checks
