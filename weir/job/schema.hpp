// The languages that users write, by name, and what the tools say about them.
//
// job_schema() is the table of the job file; those of the fleet file and of the organisations file
// are in fleet/fleet_file.hpp and tenancy/organisations_file.hpp. What `weir schema` prints and
// `weir schema check` answers comes from here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/schema.hpp"

namespace weir::job {

const schema::Object& job_schema();

// Parses what stands behind `chips:` in a gang: 0..64, or 0.1..0.9. In thousandths of a chip.
std::optional<std::uint32_t> chips_permille(std::string_view text);
// "USR1", "SIGUSR1", "10".
std::optional<int> signal_from_name(std::string_view text);

// The names of the languages: "job", "fleet", "tenants", "catalog".
const std::vector<std::string_view>& languages();
// JSON Schema and reference page of a language; an error names the languages there are.
Result<std::string> language_json_schema(std::string_view language);
Result<std::string> language_reference(std::string_view language);

// Which language a text is in: "sbatch" for a script, "fleet" when it has sites, "tenants" when it
// has tenants, "catalog" when it lists chips, else "job". The keys of the top level say so; of a
// text that cannot be parsed, what it looks like.
std::string_view language_of(std::string_view text);

// Checks a text without doing anything with it and gives its notes. "" = language_of(text).
Result<std::vector<std::string>> check_text(std::string_view text,
                                            std::string_view source,
                                            std::string_view language = "");

}  // namespace weir::job
