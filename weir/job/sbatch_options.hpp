// The options of sbatch: their spelling, and what weir makes of each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::job {

enum class Argument : std::uint8_t { none, required, optional };

enum class Treatment : std::uint8_t {
    mapped,   // becomes part of the job
    ignored,  // changes nothing here: a note says so
    refused,  // without it the job would be served wrongly: an error says so
};

struct SbatchOption {
    std::string_view name;  // long, without dashes
    char letter = 0;        // short form, 0 = none
    Argument argument = Argument::required;
    Treatment treatment = Treatment::mapped;
    std::string_view says;  // mapped: what it becomes; else why not, and what to do instead
};

const std::vector<SbatchOption>& sbatch_options();

// By long name, or by a beginning of it, as getopt has it: none when it is unknown, several when it
// is the beginning of several.
std::vector<const SbatchOption*> find_options(std::string_view name);
const SbatchOption* find_option(char letter);

// One option that a script gives.
struct Directive {
    std::string spelling;                  // as written: "--mem", "-N"
    const SbatchOption* option = nullptr;  // nullptr = unknown
    std::string value;
    std::uint32_t line = 0;
    std::uint32_t column = 1;
};

struct Script {
    std::string interpreter;  // "/bin/bash"
    std::vector<Directive> directives;
    std::uint32_t first_directive_line = 0;  // 0 = none
    struct Problem {
        std::uint32_t line = 0;
        std::uint32_t column = 1;
        std::string text;
    };
    std::vector<Problem> problems;
    std::vector<Problem> remarks;  // directives behind the first command, unknown options
};

// Finds and splits the directives. Requires: looks_like_script(text).
Script scan_script(std::string_view text);

}  // namespace weir::job
