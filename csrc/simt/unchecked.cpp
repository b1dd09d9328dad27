// What the builds without checks answer where the checked one knows more.
#include "json.h"
#include "state.h"

namespace simt {

void register_buffer(const void*, std::size_t, const char*, BufferUse) {}
void forget_buffer(const void*) {}
void trace_access(const void*, unsigned, unsigned) {}
std::string profile_json() { return "{\"launches\":[],\"lines\":[],\"buffers\":[]}"; }
void clear_profile() {}

}  // namespace simt
