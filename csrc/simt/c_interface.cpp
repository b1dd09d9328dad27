// The executor's controls as C functions, the same in gpudl._simt and in a module of a user's own kernels.
#include <string>

#include "json.h"
#include "shared_memory.h"
#include "state.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

const char* kept(std::string text) {
  static std::string buffer;
  buffer = std::move(text);
  return buffer.c_str();
}

}  // namespace

// order: 0 forward, 1 reverse, 2 random.
EXPORT void simt_set_schedule(int order, unsigned long long seed, int eager_copies) {
  simt::schedule = {static_cast<simt::Order>(order), seed, eager_copies != 0};
}
EXPORT void simt_set_shared_memory_limit(std::size_t bytes) { simt::shared_memory_limit = bytes; }

// use: 0 read, 1 write, 2 update, as simt::BufferUse.
EXPORT void simt_register_buffer(const void* data, std::size_t bytes, const char* name, int use) {
  simt::register_buffer(data, bytes, name, static_cast<simt::BufferUse>(use));
}
EXPORT void simt_forget_buffer(const void* data) { simt::forget_buffer(data); }

EXPORT const char* simt_last_error() { return kept(simt::last_error()); }
EXPORT const char* simt_findings() { return kept(simt::findings_json()); }
EXPORT void simt_clear_findings() { simt::clear_findings(); }
EXPORT const char* simt_profile() { return kept(simt::profile_json()); }
EXPORT void simt_clear_profile() { simt::clear_profile(); }
