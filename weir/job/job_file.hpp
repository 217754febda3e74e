// Job file: the YAML (or JSON) in which a user describes a job.
//
// The language is the table job_schema() (schema.hpp). A file is accepted whole or refused whole:
// the error names every problem with file, line, key and value. Parts that this version checks but
// does not act upon are listed in JobSpec::not_honoured and named by a note.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/job/job.hpp"

namespace weir::job {

struct ParsedJob {
    JobSpec spec;
    std::vector<std::string> notes;  // sentences for the user, none of which prevents the job
};

// `source` is the path of the file, or what stands for it; it is put in front of every error and
// gives a job without a name its name. At most 1 MiB.
Result<ParsedJob> read_job_text(std::string_view text, std::string_view source);

// The file as read_job_text() reads it back to an equal spec, as far as the spec is honoured and a
// job file can say it: not that it was a batch script, nor that its chips must be GPUs.
std::string print_job(const JobSpec& spec);

// "jobs/wing.yaml" -> "wing"; "" when the source is no path or its stem cannot be a name.
std::string name_from_source(std::string_view source);

}  // namespace weir::job
