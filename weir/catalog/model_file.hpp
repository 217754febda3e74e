// Model file: the YAML in which shapes of models are written (catalog/models.yaml).
//
// The language is the table models_schema(); what reads it, checks it and documents it is
// base/schema.hpp. What a shape may be at all is said by check() of model.hpp, and both kinds of
// problem come back with the line where they stand.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/schema.hpp"
#include "weir/catalog/model.hpp"

namespace weir::catalog {

const schema::Object& models_schema();

// `source` stands in front of every error: "models.yaml:7:9: models[0].layers: ...".
Result<std::vector<Model>> read_models_text(std::string_view text, std::string_view source);

}  // namespace weir::catalog
