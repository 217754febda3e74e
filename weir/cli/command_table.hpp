// The command line as data: what command_options.cpp declares, without the library that parses it.
//
// Completion for the shells, the reference page and the overview are written from this one table,
// so they cannot drift away from what is parsed.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace weir::cli {

struct OptionInfo {
    std::vector<std::string> names;  // "-f", "--follow"; empty for a positional
    std::string value;               // "" = a flag; FILE, DIR, JOB, N, ...; "a|b" = one of these
    std::string description;
    bool repeats = false;
    bool required = false;
};

struct CommandInfo {
    std::string name;
    std::string group;    // heading in the overview
    std::string summary;  // one line
    std::string footer;   // example and exit status
    std::string behind;   // what stands behind the options: "-- COMMAND..."
    std::vector<OptionInfo> options;
    std::vector<CommandInfo> children;
};

std::string bash_completion(const CommandInfo& root);
std::string zsh_completion(const CommandInfo& root);
// What --help says. `path` without "weir"; lines are wrapped at `width` columns.
std::string help_text(const CommandInfo& command, const std::string& path, std::size_t width);
std::string markdown_reference(const CommandInfo& root);
std::string json_reference(const CommandInfo& root);
// One screen, so many columns wide: the commands by what people do.
std::string overview(const CommandInfo& root, std::size_t screen);

}  // namespace weir::cli
