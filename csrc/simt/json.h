// The little JSON that leaves the executor.
#pragma once

#include <string>

namespace simt {

std::string json_string(const std::string& text);
std::string json_address(const void* address);  // an offset in the loaded module, as addr2line takes it; or null

std::string findings_json();
void clear_findings();
std::string profile_json();
void clear_profile();

}  // namespace simt
