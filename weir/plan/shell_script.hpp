// What a shell script would start, found without running it.
//
// Launch scripts are mostly words: variables, arrays, arithmetic, a condition or two, and one long
// command. follow_shell() walks through such a script as a shell would with no arguments and an
// empty environment, and gives the commands with everything expanded. What depends on the machine
// (files, output of commands) is taken as false or left as it is written, and said; loops and
// functions are not entered, and said. Nothing is executed.
//
// Not a shell: no globbing, no job control, no input. Sizes and depths are limited.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"

namespace weir::plan {

struct ShellFile {
    std::string path;
    std::string text;  // expanded as the shell would
};

struct ShellScript {
    std::vector<std::vector<std::string>> commands;  // in the order in which they would start
    std::vector<ShellFile> files;                    // written by `cat <<EOF > path`
    std::vector<std::string> assumed;  // conditions that were taken as false, with their line
    std::vector<std::string> skipped;  // loops, functions and files that were not entered
};

// A word whose value nobody knows stays as it was written: "$SLURM_NNODES", "$(nproc)".
Result<ShellScript> follow_shell(std::string_view text, std::string_view source);

// The first thing in a word that was left as it was written: "$SLURM_NNODES"; "" = all is known.
std::string_view unknown_part(std::string_view word);

}  // namespace weir::plan
