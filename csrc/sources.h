// What a compiled module was made of and for: so Python can refuse one that another version has left behind, and say
// for which GPUs there is code.
#pragma once

// The digest of csrc, as `sources_digest` of gpudl/simt/_compile.py has it.
const char* sources_digest();

// "sm_80-sm_90a-compute_80"; empty where it is for the CPU.
const char* architectures();
