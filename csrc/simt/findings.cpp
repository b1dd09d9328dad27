// What was found, once per place, as data: the Python side turns addresses into source lines.
#include <dlfcn.h>

#include <cstdarg>
#include <cstdio>
#include <map>
#include <vector>

#include "json.h"
#include "state.h"

namespace simt {

namespace {

struct Recorded {
  Finding finding;
  const void* kernel;
  dim3 grid, block;
  long count;
};
constexpr std::size_t kMostFindings = 200;  // of different places; after that the first ones are what to mend
std::vector<Recorded> findings;
std::map<std::string, std::size_t> index_of;

std::string format_message(const char* format, va_list arguments) {
  char text[768];
  std::vsnprintf(text, sizeof text, format, arguments);
  return text;
}

std::string triple(std::uint64_t linear, dim3 extent) {
  return "[" + std::to_string(linear % extent.x) + "," + std::to_string(linear / extent.x % extent.y) + "," +
         std::to_string(linear / extent.x / extent.y) + "]";
}

std::string access_json(const Access& access, const Recorded& recorded) {
  const char* operation = access.flags & kLaunch   ? "launch"
                          : access.flags & kAtomic ? "atomic"
                          : access.flags & kWrite  ? "write"
                                                   : "read";
  return "{\"operation\":" + json_string(access.pc ? operation : "") + ",\"pc\":" + json_address(access.pc) +
         ",\"block\":" + triple(access.block, recorded.grid) + ",\"thread\":" + triple(access.thread, recorded.block) +
         "}";
}

Finding finding_at(const char* kind, Place place, const std::string& message) {
  Finding finding;
  finding.kind = kind;
  finding.message = message;
  finding.place = place;
  finding.second = access_here(nullptr, 0);
  return finding;
}

}  // namespace

Access access_here(const void* pc, unsigned flags) {
  return {pc, flags, current ? current->linear : 0, linear_block()};
}

void add_finding(const Finding& finding) {
  char key[128];
  std::snprintf(key, sizeof key, "|%p|%p|%p|%u|%s:%d", kernel_call.kernel, finding.first.pc, finding.second.pc,
                (finding.first.flags & kWrite) * 2 + (finding.second.flags & kWrite),
                finding.place.file ? finding.place.file : "", finding.place.line);
  const auto [at, is_new] = index_of.emplace(finding.kind + key, findings.size());
  if (!is_new) {
    if (at->second < findings.size()) findings[at->second].count++;
  } else if (findings.size() < kMostFindings) {
    findings.push_back({finding, kernel_call.kernel, grid_extent, block_extent, 1});
  }
}

void report(const char* kind, Place place, const char* format, ...) {
  Untraced untraced;
  va_list arguments;
  va_start(arguments, format);
  add_finding(finding_at(kind, place, format_message(format, arguments)));
  va_end(arguments);
}

void fault(const Finding& finding) {
  tracing = false;
  add_finding(finding);
  std::string message = finding.kind + ": " + finding.message;
  if (!finding.location.empty()) message += " of " + finding.location;
  abandon_grid(message);
}

void fault(const char* kind, Place place, const char* format, ...) {
  tracing = false;
  va_list arguments;
  va_start(arguments, format);
  const Finding finding = finding_at(kind, place, format_message(format, arguments));
  va_end(arguments);
  fault(finding);
}

std::string json_string(const std::string& text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return quoted + "\"";
}

std::string json_address(const void* address) {
  Dl_info info;
  if (!address || !dladdr(address, &info)) return "null";
  return std::to_string(static_cast<const char*>(address) - static_cast<const char*>(info.dli_fbase));
}

std::string findings_json() {
  std::string json = "[";
  for (const Recorded& recorded : findings) {
    const Finding& finding = recorded.finding;
    if (json.size() > 1) json += ",";
    json += "{\"kind\":" + json_string(finding.kind) + ",\"message\":" + json_string(finding.message) +
            ",\"location\":" + json_string(finding.location) + ",\"kernel\":" + json_address(recorded.kernel) +
            ",\"file\":" + json_string(finding.place.file ? finding.place.file : "") +
            ",\"line\":" + std::to_string(finding.place.line) + ",\"count\":" + std::to_string(recorded.count) +
            ",\"first\":" + access_json(finding.first, recorded) +
            ",\"second\":" + access_json(finding.second, recorded) + "}";
  }
  return json + "]";
}

void clear_findings() {
  findings.clear();
  index_of.clear();
}

}  // namespace simt
