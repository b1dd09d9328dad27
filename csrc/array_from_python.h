// Python objects as checked arrays, numbers and the stream of one call.
#pragma once

#include <pybind11/pybind11.h>

#include "operator.h"

// Runs `op` on the arguments of a Python call: arrays in order or by name, numbers by name.
void call_operator(const Operator& op, const pybind11::args& arguments, const pybind11::kwargs& named);

// How an operator appears to inspect.signature.
pybind11::object signature_of(const Operator& op);
