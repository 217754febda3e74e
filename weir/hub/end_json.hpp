// How the end of an attempt is written in the journal and in the document of its job.
//
// Includes the JSON library: for the .cpp files of the two codecs only.
#pragma once

#include <nlohmann/json.hpp>

#include "weir/exec/executor.hpp"

namespace weir::hub {

// Everything but the job. Fields with their usual value are left out.
nlohmann::json json_of_end(const exec::AttemptEnd& end);
// Throws what the JSON library throws, and std::out_of_range for a kind that is not known.
exec::AttemptEnd end_of_json(const nlohmann::json& json);

}  // namespace weir::hub
