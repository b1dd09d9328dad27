// In a file of its own, because its command has the digest: it alone is compiled anew with every change of csrc.
#include "sources.h"

// The digest comes without quotes, which nvcc hands on differently from g++.
#define TEXT_OF(token) #token
#define TEXT(macro) TEXT_OF(macro)

const char* sources_digest() { return TEXT(GPUDL_SOURCES); }
