// Which sources a compiled module was made of, so that Python can refuse one that another version has left behind.
#pragma once

// The digest of csrc, as `sources_digest` of gpudl/simt/_compile.py has it.
const char* sources_digest();
