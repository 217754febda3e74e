// What is sent with a submission: the text of the file, who submits, from where, and which part
// of the environment.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/cli/hub_link.hpp"

namespace weir::cli {

// No job description is larger; what is larger is a mistake (a data file, a core dump).
inline constexpr std::uint64_t job_text_bytes_max = 1 << 20;

// Reads a job file, "-" = standard input, and tells a #SBATCH or shell script from YAML.
Result<JobText> read_job_text_file(const std::string& path);

// sbatch when it begins with "#!" or has a line that begins with "#SBATCH", else yaml.
std::string_view format_of(std::string_view text);

// The submitter's environment: "all" of it but what belongs to the terminal, "basic" = only what
// programs are found and localised by, "none", or a list of names.
Result<std::map<std::string, std::string>> chosen_environment(const std::string& choice);

std::string current_user();
Result<std::string> current_folder();

// Submits texts from here; `environment` as above, "" = all for scripts (as Slurm does), else
// basic.
Result<Answer<std::vector<SubmittedInfo>>> submit_texts(HubLink& hub,
                                                        std::vector<JobText> jobs,
                                                        const std::string& environment,
                                                        const std::string& workdir);

}  // namespace weir::cli
