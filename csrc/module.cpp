// The extension module: gpudl._cuda, compiled by nvcc, or gpudl._simt, the same kernels compiled by g++.
#include "array_from_python.h"
#include "bindings.h"
#include "errors.h"
#include "sources.h"

namespace py = pybind11;

namespace {

const Operators& operators() {
  static const Operators all = [] {
    Operators list;
    bind_activations(list);
    bind_adam(list);
    bind_adaptive_avg_pool2d(list);
    bind_adaptive_max_pool2d(list);
    bind_add(list);
    bind_avg_pool2d(list);
    bind_backward_bias(list);
    bind_batch_norm(list);
    bind_class_losses(list);
    bind_concat(list);
    bind_conv2d(list);
    bind_counts(list);
    bind_dropout(list);
    bind_dropout2d(list);
    bind_flat(list);
    bind_gaussian_noise(list);
    bind_global_avg_pool2d(list);
    bind_group_norm(list);
    bind_image_affine(list);
    bind_image_augment(list);
    bind_image_color(list);
    bind_image_crop(list);
    bind_image_erase(list);
    bind_image_normalize(list);
    bind_image_resize(list);
    bind_layer_norm(list);
    bind_layout(list);
    bind_linear(list);
    bind_losses(list);
    bind_max_pool2d(list);
    bind_pad(list);
    bind_philox(list);
    bind_rmsprop(list);
    bind_sgd(list);
    bind_softmax(list);
    return list;
  }();
  return all;
}

void translate(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const CudaError& error) {
    const py::object type = py::module_::import("gpudl._errors").attr("CudaError");
    const py::object raised = type(error.expression, error.file, error.line, error.text);
    PyErr_SetObject(type.ptr(), raised.ptr());
  } catch (const TypeError& error) {
    PyErr_SetString(PyExc_TypeError, error.what());
  }
}

}  // namespace

PYBIND11_MODULE(GPUDL_MODULE, module) {
  py::register_exception_translator(translate);
  py::class_<Operator>(module, "Operator", "An operator of the kernels: inputs, arrays to write, then numbers by name.",
                       py::module_local())
      .def("__call__", call_operator)
      .def_property_readonly("name", [](const Operator& op) { return op.name; })
      .def("__repr__", [](const Operator& op) { return std::string("<operator ") + op.name + ">"; })
      .def_property_readonly("__signature__", signature_of);
  py::list names;
  for (const Operator& op : operators()) {
    module.attr(op.name) = py::cast(&op, py::return_value_policy::reference);
    names.append(op.name);
  }
  module.attr("__all__") = names;
  module.attr("__sources__") = sources_digest();
  module.attr("__architectures__") = architectures();
}
