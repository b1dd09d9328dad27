// Binding of the image transforms in one launch.
#include "bindings.h"
#include "image_augment.h"

namespace {

struct Table {
  const char* name;
  DType dtype;
  std::vector<std::int64_t> shape;
};

// Whether a stage acts: its tables are all there, of these dtypes and shapes, or all left out.
bool stage(const Call& call, std::initializer_list<Table> tables) {
  const bool acts = call.given(tables.begin()->name);
  for (const Table& table : tables) {
    if (call.given(table.name) != acts) {
      call.refuse(std::string(table.name) + " must be None where " + tables.begin()->name + " is, and only there");
    }
    if (acts) require_table(call, table.name, table.dtype, table.shape);
  }
  return acts;
}

// The extent of a crop that is given: that of the second axis of one of its tables.
std::int64_t cropped(const Call& call, const char* name) {
  if (!call.given(name)) return 0;
  call.require_rank(name, 2);
  const std::int64_t extent = call.array(name).shape[1];
  if (extent > 1 << 30) call.refuse(std::string(name) + " must have extents of at most 2^30");
  return extent;
}

void require_size(const Call& call, const ImageShape& shape, std::int64_t height, std::int64_t width) {
  call.require_shape("y", {shape.samples, shape.channels, height, width}, "the size that x has after the crop");
}

void image_augment(const Call& call) {
  call.require_dtype("x", {DType::uint8});
  const ImageShape shape = image_extents(call);
  const std::int64_t N = shape.samples, C = shape.channels;
  const std::int64_t height = cropped(call, "rows"), width = cropped(call, "columns");
  const bool crop = stage(call, {{"rows", DType::int32, {N, height}},
                                 {"columns", DType::int32, {N, width}},
                                 {"crop_fill", DType::uint8, {C}}});
  if (!stage(call, {{"matrices", DType::float32, {N, 2, 3}}, {"affine_fill", DType::uint8, {C}}})) {
    require_size(call, shape, crop ? height : shape.height, crop ? width : shape.width);
  }
  stage(call, {{"factors", DType::float32, {N, 4}}, {"steps", DType::uint8, {N, 4}}});
  stage(call, {{"edges", DType::int32, {N, 4}}, {"value", DType::uint8, {C}}});
  const DType made = call.array("y").dtype, wide = wide_dtype(made);
  if (stage(call, {{"mean", wide, {C}}, {"factor", wide, {C}}})) {
    call.require_float("y");
  } else {
    call.require_dtype("y", {DType::uint8});
  }
  stage(call, {{"edges_after", DType::int32, {N, 4}}, {"value_after", made, {C}}});
  const AugmentTables tables{call.array("rows"),        call.array("columns"),     call.array("crop_fill"),
                             call.array("matrices"),    call.array("affine_fill"), call.array("factors"),
                             call.array("steps"),       call.array("edges"),       call.array("value"),
                             call.array("mean"),        call.array("factor"),      call.array("edges_after"),
                             call.array("value_after")};
  launch_image_augment(call.array("x"), tables, call.array("y"), shape,
                       call.choice("interpolation", {"nearest", "bilinear"}) == 1, call.stream());
}

}  // namespace

void bind_image_augment(Operators& operators) {
  std::vector<ArrayArgument> arrays{{"x", Access::read, kChannelsLast}};
  for (const char* table : {"rows", "columns", "crop_fill", "matrices", "affine_fill", "factors", "steps", "edges",
                            "value", "mean", "factor", "edges_after", "value_after"}) {
    arrays.push_back({table, Access::read, kOptional});
  }
  arrays.push_back({"y", Access::write, kChannelsLast});
  operators.push_back({"image_augment", arrays, {{"interpolation", NumberKind::word}}, image_augment});
}
