// In a file of its own, because its command has both: it alone is compiled anew with every change of csrc.
#include "sources.h"

#ifndef GPUDL_ARCHITECTURES
#define GPUDL_ARCHITECTURES
#endif

// They come without quotes, which nvcc hands on differently from g++, and without commas, at which it cuts them.
#define TEXT_OF(...) #__VA_ARGS__
#define TEXT(macro) TEXT_OF(macro)

const char* sources_digest() { return TEXT(GPUDL_SOURCES); }

const char* architectures() { return TEXT(GPUDL_ARCHITECTURES); }
