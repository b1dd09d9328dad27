// What the checks share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "../state.h"

namespace simt::checks {

// ---- memory.cpp
struct Buffer;
// The registered buffer that holds this address, null where none does.
const Buffer* buffer_at(const void* address);
// Addresses for the profile: a buffer begins on a sector, as it does on a GPU, where malloc chooses any multiple of 16
// bytes; memory off the 16-byte grid stays off it.
std::uint64_t place_of(const void* address);
const Buffer* buffer_at_place(std::uint64_t place);
const std::string& buffer_name(const Buffer& buffer);
std::size_t buffer_bytes(const Buffer& buffer);
std::string describe(const void* address);
void memory_block_begin();

// ---- races.cpp
void races_grid_begin();
void races_block_begin();
void check_races(const void* address, unsigned bytes, unsigned flags, const void* pc, bool shared);

// ---- profile.cpp
void profile_grid_begin();
void profile_block_end();
void count_access(const void* address, unsigned bytes, unsigned flags, const void* pc, bool shared);

}  // namespace simt::checks
