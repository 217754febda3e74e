// Reads the `config.json` of a decoder transformer as Hugging Face publishes it.
//
// The file is read as it is: `architectures` or `model_type` names the family, and the family says
// what the other keys are called and what holds where a key is absent. A family that is not known
// is refused with the list of those that are; so are missing, contradictory and absurd values, each
// with its key, its value and what would be valid.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/catalog/model.hpp"

namespace weir::catalog {

// `name` labels the model where the file does not name itself; `source` stands in error texts.
Result<Model> model_from_hf_config(std::string_view json,
                                   std::string_view name,
                                   std::string_view source);
Result<Model> read_hf_config(const std::string& path);

// "llama", "qwen3_moe", …: the model types that are understood.
const std::vector<std::string_view>& hf_model_types();

// MODEL as users write it: a name of the catalogue, or the path of a config.json or of a folder
// that holds one.
Result<Model> model_of(const std::string& name_or_path);

}  // namespace weir::catalog
