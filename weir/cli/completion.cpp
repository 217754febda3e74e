// Completion for bash and zsh, written from the table of commands.
//
// Both scripts are plain lists: for each command its words, and for each option that takes a value
// where that value comes from: fixed words, files, folders, or the jobs that the hub knows (asked
// with `weir ps --all --ids`, silently nothing without a hub).
#include <fmt/format.h>

#include <algorithm>

#include "weir/cli/command_table.hpp"

namespace weir::cli {
namespace {

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
    std::string all;
    for (const std::string& word : words) {
        if (!all.empty()) all += separator;
        all += word;
    }
    return all;
}

std::vector<std::string> words_of(const OptionInfo& option) {
    std::vector<std::string> words;
    if (option.value.find('|') == std::string::npos) return words;
    for (std::size_t at = 0; at <= option.value.size();) {
        const std::size_t end = std::min(option.value.find('|', at), option.value.size());
        words.push_back(option.value.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

struct Node {
    std::string path;  // "", "up", "schema check"
    const CommandInfo* command;
};

void flatten(const CommandInfo& command, const std::string& path, std::vector<Node>& nodes) {
    nodes.push_back({path, &command});
    for (const CommandInfo& child : command.children) {
        flatten(child, path.empty() ? child.name : path + " " + child.name, nodes);
    }
}

// What bash does to complete one value.
std::string bash_action(const OptionInfo& option) {
    const auto words = words_of(option);
    if (!words.empty()) {
        return fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$cur\"))", joined(words, " "));
    }
    if (option.value == "FILE" || option.value == "TRACE") return "_weir_files";
    if (option.value == "DIR") return "_weir_folders";
    if (option.value == "JOB") {
        return "COMPREPLY=($(compgen -W \"$(_weir_jobs)\" -- \"$cur\"))";
    }
    return "COMPREPLY=()";
}

// For zsh: what stands after "name[description]:value:".
std::string zsh_action(const OptionInfo& option) {
    const auto words = words_of(option);
    if (!words.empty()) return "(" + joined(words, " ") + ")";
    if (option.value == "FILE" || option.value == "TRACE") return "_files";
    if (option.value == "DIR") return "_files -/";
    if (option.value == "JOB") return "_weir_jobs";
    return " ";
}

// Text inside single quotes and square brackets of a zsh specification.
std::string zsh_text(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '\'') {
            escaped += "'\\''";
        } else if (c == '[' || c == ']' || c == ':') {
            escaped += '\\';
            escaped += c;
        } else {
            escaped += c;
        }
    }
    return escaped;
}

std::string function_name(const std::string& path) {
    std::string name = "_weir_command";
    if (!path.empty()) name += "_" + path;
    std::replace(name.begin(), name.end(), ' ', '_');
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

}  // namespace

std::string bash_completion(const CommandInfo& root) {
    std::vector<Node> nodes;
    flatten(root, "", nodes);

    std::string parents;
    std::string values;
    std::string words;
    std::string positionals;
    for (const Node& node : nodes) {
        std::vector<std::string> offered;
        std::vector<std::string> names;
        for (const CommandInfo& child : node.command->children)
            names.push_back(child.name);
        offered = names;
        for (const OptionInfo& option : node.command->options) {
            if (option.names.empty()) {
                std::string action = bash_action(option);
                if (action == "COMPREPLY=()") continue;
                // `weir schema` takes a language or a command of its own: both are offered.
                if (!names.empty()) {
                    const auto choices = words_of(option);
                    offered.insert(offered.end(), choices.begin(), choices.end());
                    continue;
                }
                const std::string quoted = fmt::format("        '{}') ", node.path);
                positionals += quoted + action + " ;;\n";
                continue;
            }
            offered.insert(offered.end(), option.names.begin(), option.names.end());
            if (option.value.empty()) continue;
            std::vector<std::string> cases;
            for (const std::string& name : option.names) {
                cases.push_back(fmt::format("'{} {}'", node.path, name));
            }
            values +=
                fmt::format("        {}) {}; return ;;\n", joined(cases, "|"), bash_action(option));
        }
        words += fmt::format("        '{}') words='{}' ;;\n", node.path, joined(offered, " "));
        if (!names.empty()) {
            parents += fmt::format(
                "            '{}') children=' {} ' ;;\n", node.path, joined(names, " "));
        }
    }
    return fmt::format(R"(# bash completion for weir; written by `weir completion bash`.
# To use it: source <(weir completion bash)

_weir_jobs() {{
    "${{COMP_WORDS[0]}}" ps --all --ids 2>/dev/null
}}

_weir_files() {{
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$cur"))
}}

_weir_folders() {{
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -d -- "$cur"))
}}

_weir() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}}
    local prev=${{COMP_WORDS[COMP_CWORD - 1]}}
    local path='' words='' children='' word i
    COMPREPLY=()
    # The words so far that name a command.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        # Behind a bare -- stands a command of the user's own.
        if [[ $word == -- ]]; then
            _weir_files
            return
        fi
        children=''
        case "$path" in
{parents}        esac
        if [[ $children == *" $word "* ]]; then
            path="${{path:+$path }}$word"
        fi
    done
    case "$path $prev" in
{values}    esac
    case "$path" in
{words}    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
        return
    fi
    case "$path" in
{positionals}        *) COMPREPLY=($(compgen -W "$words" -- "$cur")) ;;
    esac
}}

complete -F _weir weir
)",
                       fmt::arg("parents", parents),
                       fmt::arg("values", values),
                       fmt::arg("words", words),
                       fmt::arg("positionals", positionals));
}

std::string zsh_completion(const CommandInfo& root) {
    std::vector<Node> nodes;
    flatten(root, "", nodes);
    std::string functions;
    for (const Node& node : nodes) {
        std::string body;
        const bool parent = !node.command->children.empty();
        body += parent ? "    local line state\n    _arguments -C \\\n" : "    _arguments \\\n";
        for (const OptionInfo& option : node.command->options) {
            if (option.names.empty()) {
                // A command with children takes its first word from them (below).
                if (parent) continue;
                body += fmt::format("        '{}:{}:{}' \\\n",
                                    option.repeats ? "*" : "",
                                    zsh_text(option.value),
                                    zsh_action(option));
                continue;
            }
            for (const std::string& name : option.names) {
                const std::string value =
                    option.value.empty()
                        ? ""
                        : fmt::format(":{}:{}", zsh_text(option.value), zsh_action(option));
                body += fmt::format("        '{}{}[{}]{}' \\\n",
                                    option.repeats ? "*" : "",
                                    name,
                                    zsh_text(option.description),
                                    value);
            }
        }
        if (parent) {
            body += "        '1: :->command' '*::argument:->rest'\n";
            body += "    case $state in\n        command)\n            local -a commands=(\n";
            for (const CommandInfo& child : node.command->children) {
                body +=
                    fmt::format("                '{}:{}'\n", child.name, zsh_text(child.summary));
            }
            for (const OptionInfo& option : node.command->options) {
                if (!option.names.empty()) continue;
                for (const std::string& word : words_of(option)) {
                    body += fmt::format("                '{}'\n", word);
                }
            }
            body += "            )\n            _describe command commands ;;\n";
            body += "        rest)\n            case $line[1] in\n";
            for (const CommandInfo& child : node.command->children) {
                const std::string path =
                    node.path.empty() ? child.name : node.path + " " + child.name;
                body += fmt::format("                {}) {} ;;\n", child.name, function_name(path));
            }
            body += "            esac ;;\n    esac\n";
        } else {
            body += "        && return\n";
        }
        functions += fmt::format("{}() {{\n{}}}\n\n", function_name(node.path), body);
    }
    return fmt::format(R"zsh(#compdef weir
# zsh completion for weir; written by `weir completion zsh`.
# To use it: source <(weir completion zsh), or save it as _weir in a folder of $fpath.

_weir_jobs() {{
    local -a jobs=(${{(f)"$(weir ps --all --ids 2>/dev/null)"}})
    compadd -a jobs
}}

{}if [[ $funcstack[1] == _weir ]]; then
    {}
else
    compdef {} weir
fi
)zsh",
                       functions,
                       function_name(""),
                       function_name(""));
}

}  // namespace weir::cli
